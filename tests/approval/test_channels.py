"""Each channel by itself: what counts as an answer, and how it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp_types import ElicitResult

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.channels import (
    AskOutcome,
    ChannelName,
    Channels,
    elicitation,
    terminal,
    typed_matches,
)
from telnyx_mcp.approval.channels.browser import open_in_browser, users_browser
from telnyx_mcp.approval.question import Question
from tests.support.changes import change
from tests.support.clock import NOW

PAYMENT = change(question=Question("Pay?", typed="120.00", action="Pay 120.00"))
SETTING = change(question=Question("Turn it off?", action="Turn it off"))


@pytest.mark.parametrize(
    ("typed", "matches"),
    [
        *(
            (each, True)
            for each in ("120", "120.0", "120.00", "$120", "$ 120.00", "120 USD", "120usd")
        ),
        *((each, True) for each in (" 120 ", "$120.00 USD", "0120.00")),
        *((each, False) for each in ("12", "1200", "120.01", "119.99", "120.", "120.000", "-120")),
        *(
            (each, False)
            for each in ("120 EUR", "1,200", "120,00", "\uff11\uff12\uff10", "yes", "")
        ),
        *((each, False) for each in ("120 120", "USD 120", None, 120, True, ["120"])),
    ],
)
def test_an_amount_counts_if_it_is_the_figure_as_people_write_it(
    typed: object, *, matches: bool
) -> None:
    assert typed_matches(typed, "120.00") is matches


# --- the client -----------------------------------------------------------------------------------


def accepts(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


@pytest.mark.parametrize(
    ("answered", "asked", "outcome"),
    [
        (accepts(amount="120"), PAYMENT, AskOutcome.APPROVED),
        (accepts(amount="12"), PAYMENT, AskOutcome.MISTYPED),
        (accepts(approve=True), PAYMENT, AskOutcome.MISTYPED),
        (ElicitResult(action="accept"), PAYMENT, AskOutcome.MISTYPED),
        (accepts(approve=True), SETTING, AskOutcome.APPROVED),
        (accepts(approve=False), SETTING, AskOutcome.DECLINED),
        (accepts(approve=1), SETTING, AskOutcome.DECLINED),
        (accepts(amount="120"), SETTING, AskOutcome.DECLINED),
        (ElicitResult(action="accept"), SETTING, AskOutcome.DECLINED),
        (ElicitResult(action="decline"), PAYMENT, AskOutcome.DECLINED),
        (ElicitResult(action="decline", content={"amount": "120"}), PAYMENT, AskOutcome.DECLINED),
        (ElicitResult(action="cancel"), PAYMENT, AskOutcome.CANCELLED),
        (ElicitResult(action="cancel", content={"amount": "120"}), PAYMENT, AskOutcome.CANCELLED),
        (None, PAYMENT, AskOutcome.CANCELLED),
        ({"action": "accept", "content": {"amount": "120"}}, PAYMENT, AskOutcome.CANCELLED),
    ],
)
def test_only_a_whole_answer_of_a_client_approves(
    answered: Any, asked: Change, outcome: AskOutcome
) -> None:
    responses = None if answered is None else {"approval": answered}
    context: Any = SimpleNamespace(input_responses=responses, request_state=asked.id)
    assert elicitation.answer(asked, context) is outcome
    # Under another name it is no answer to this question.
    context = SimpleNamespace(input_responses={"other": answered}, request_state=asked.id)
    assert elicitation.answer(asked, context) is AskOutcome.CANCELLED


@pytest.mark.parametrize(
    ("state", "responses", "brings"),
    [
        (PAYMENT.id, {"approval": accepts(amount="120")}, True),
        (PAYMENT.id, {}, False),
        (PAYMENT.id, None, False),
        ("another", {"approval": accepts(amount="120")}, False),
        (None, None, False),
    ],
)
def test_a_client_brings_an_answer_only_to_the_question_that_it_names(
    state: str | None, responses: Any, *, brings: bool
) -> None:
    context: Any = SimpleNamespace(input_responses=responses, request_state=state)
    assert elicitation.brings_answer(PAYMENT, context) is brings


@pytest.mark.parametrize(
    ("params", "name"),
    [
        (None, ""),
        (SimpleNamespace(client_info=None), ""),
        (SimpleNamespace(client_info=SimpleNamespace(name="Claude", version="1.2")), "Claude 1.2"),
        (SimpleNamespace(client_info=SimpleNamespace(name="Claude", version="")), "Claude"),
        (SimpleNamespace(client_info=SimpleNamespace(name="a\nb\u202e", version="1")), "a b 1"),
    ],
)
def test_a_client_is_named_as_it_calls_itself_in_one_line(params: Any, name: str) -> None:
    context: Any = SimpleNamespace(session=SimpleNamespace(client_params=params))
    assert elicitation.client_name(context) == name


def test_the_form_asks_to_type_the_figure_or_tick_the_box() -> None:
    asked = elicitation.question(PAYMENT)
    assert asked.request_state == PAYMENT.id
    params: Any = (asked.input_requests or {})["approval"].params
    assert params.message == "Pay?"
    assert params.requested_schema == {
        "type": "object",
        "properties": {
            "amount": {
                "type": "string",
                "title": "Type 120.00 to approve",
                "description": "The amount, as in the question. Anything else approves nothing.",
            }
        },
        "required": ["amount"],
    }
    ticked: Any = (elicitation.question(SETTING).input_requests or {})["approval"].params
    assert ticked.requested_schema == {
        "type": "object",
        "properties": {"approve": {"type": "boolean", "title": "Turn it off", "default": False}},
        "required": ["approve"],
    }


async def test_progress_is_reported_every_ten_seconds_while_the_user_thinks() -> None:
    told: list[tuple[float, float, str]] = []
    slept: list[float] = []
    enough = anyio.Event()

    async def report(*progress: Any) -> None:
        told.append(progress)
        if len(told) == 3:
            enough.set()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    async def thinks(*_: object, **__: object) -> ElicitResult:
        await enough.wait()
        return accepts(amount="120")

    session = SimpleNamespace(elicit_form=thinks)
    context: Any = SimpleNamespace(report_progress=report, session=session, request_id=1)
    with anyio.fail_after(10):
        outcome = await elicitation.ask_and_wait(PAYMENT, context, 45.0, sleep)
    assert outcome is AskOutcome.APPROVED
    waiting = "Waiting for the user's answer"
    assert told[:3] == [(10.0, 45.0, waiting), (20.0, 45.0, waiting), (30.0, 45.0, waiting)]
    assert set(slept) == {10.0}


# --- the terminal ---------------------------------------------------------------------------------


def reading(*lines: str) -> tuple[Callable[[str], str], list[str]]:
    """What reads these lines one after the other, and the prompts that it showed."""
    left, prompts = list(lines), []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        if not left:
            raise EOFError
        return left.pop(0)

    return read, prompts


AMOUNT = "To approve, type the amount, 120.00 (Enter: do nothing): "
LEAVE = "Nothing is approved. d: decline it; Enter: leave it waiting: "
WRONG = "That is not the amount, 120.00. Nothing is approved."


@pytest.mark.parametrize(
    ("lines", "outcome", "prompts", "said"),
    [
        (["120"], AskOutcome.APPROVED, [AMOUNT], []),
        (["yes", "$120.00"], AskOutcome.APPROVED, [AMOUNT] * 2, [WRONG]),
        (["1", "2", "3", "120"], AskOutcome.CANCELLED, [AMOUNT] * 3, [WRONG] * 3),
        (["", "d"], AskOutcome.DECLINED, [AMOUNT, LEAVE], []),
        ([" N ", " D "], AskOutcome.DECLINED, [AMOUNT, LEAVE], []),
        (["no", ""], AskOutcome.CANCELLED, [AMOUNT, LEAVE], []),
        (["no", "120"], AskOutcome.CANCELLED, [AMOUNT, LEAVE], []),
        ([], AskOutcome.CANCELLED, [AMOUNT], [""]),
        (["12"], AskOutcome.CANCELLED, [AMOUNT] * 2, [WRONG, ""]),
    ],
)
def test_a_person_at_the_terminal_types_the_figure_or_declines_or_leaves_it(
    lines: list[str], outcome: AskOutcome, prompts: list[str], said: list[str]
) -> None:
    read, shown = reading(*lines)
    told: list[str] = []
    assert terminal.ask(PAYMENT.question, read, told.append) is outcome
    assert (shown, told) == (prompts, said)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("yes", AskOutcome.APPROVED),
        (" YES ", AskOutcome.APPROVED),
        ("y", AskOutcome.CANCELLED),
        ("120", AskOutcome.CANCELLED),
    ],
)
def test_what_charges_nothing_is_approved_by_yes(line: str, outcome: AskOutcome) -> None:
    read, prompts = reading(line)
    assert terminal.ask(SETTING.question, read, lambda _: None) is outcome
    assert prompts[0] == "To approve, type yes (Enter: do nothing): "


# --- the browser ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "screens", "opens"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("freebsd14", {}, False),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_browser_is_opened_where_there_is_a_screen(
    monkeypatch: pytest.MonkeyPatch, platform: str, screens: dict[str, str], *, opens: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in screens.items():
        monkeypatch.setenv(name, value)
    assert users_browser() is (open_in_browser if opens else None)


# --- which channel --------------------------------------------------------------------------------


class Pages:
    """A browser that shows pages, or does not."""

    def __init__(self, *, opens: bool) -> None:
        self.opens = opens
        self.shown: list[str] = []

    async def show(self, change: Change, *_: object) -> bool:
        self.shown.append(change.id)
        return self.opens

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("fixed", "opens", "shows"),
    [
        ("auto", True, True),
        ("browser", True, True),
        ("auto", False, False),
        ("terminal", True, False),
        ("elicitation", True, False),
        ("auto", None, False),
    ],
)
async def test_a_page_opens_only_where_the_user_allows_pages(
    fixed: ChannelName, opens: bool | None, *, shows: bool
) -> None:
    pages = None if opens is None else Pages(opens=opens)
    ledger: Any = None
    assert await Channels(fixed, pages=pages).show(PAYMENT, ledger, None) is shows
    if pages and fixed in ("terminal", "elicitation"):
        assert pages.shown == []


@pytest.mark.parametrize(
    ("fixed", "opens", "outcome"),
    [
        ("auto", True, AskOutcome.ON_PAGE),
        ("auto", False, AskOutcome.AT_TERMINAL),
        ("auto", None, AskOutcome.AT_TERMINAL),
        ("browser", True, AskOutcome.ON_PAGE),
        ("browser", False, AskOutcome.CANNOT_ASK),
        ("browser", None, AskOutcome.CANNOT_ASK),
        ("terminal", True, AskOutcome.AT_TERMINAL),
        ("elicitation", True, AskOutcome.CANNOT_ASK),
    ],
)
@pytest.mark.parametrize("state", [State.APPROVED, None])
async def test_without_a_client_that_may_answer_the_next_channel_is_asked_and_no_other_than_fixed(
    fixed: ChannelName, opens: bool | None, outcome: AskOutcome, state: State | None
) -> None:
    """A change that was answered on the page, or went away, is not waited for."""
    pages = None if opens is None else Pages(opens=opens)
    found = None if state is None else change(state=state)
    ledger: Any = SimpleNamespace(get=lambda *_: found)

    async def report(*_: object, **__: object) -> None:
        pass

    context: Any = SimpleNamespace(report_progress=report)
    channels = Channels(fixed, pages=pages, client_may_answer=False)
    with anyio.fail_after(10):
        assert await channels.ask(PAYMENT, ledger, context, None, lambda: NOW) is outcome
