"""`approve`, `ledger` and `resolve`: real processes, on a pseudo-terminal where a person is asked."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from telnyx_mcp.approval.change import LIFETIME, PAYMENT, RECHARGE, Change, State
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.question import Fact, Question
from telnyx_mcp.approval.reasons import Reason, UnknownPayment
from telnyx_mcp.sandbox import Sandbox
from tests.support.changes import BALANCE, QUESTION, SEEN, payment, state_of, unknown
from tests.support.command import Run
from tests.support.server_process import ServerProcess, started

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

import pty

from tests.support.terminal import SECONDS, at_terminal, piped, told_to_run, whole

PAY = "telnyx_create_stored_payment_transaction"
TYPE_AMOUNT = "type the amount, 120.00"


# --- approve --------------------------------------------------------------------------------------


def test_a_payment_is_approved_by_typing_its_amount(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox
) -> None:
    change = payment(ledger)
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows(change.id)
        terminal.shows(QUESTION)
        terminal.shows(TYPE_AMOUNT)
        terminal.types("$120")
        terminal.shows("Approved. The assistant can call again; the approval is good until ")
        assert terminal.ends() == 0
    approved = ledger.get(change.id, datetime.now(UTC))
    assert approved
    assert (approved.state, approved.channel) == (State.APPROVED, "terminal")
    assert approved.decided_by == getpass.getuser()
    assert f"good until {approved.updated_at + LIFETIME:%H:%M} UTC." in terminal.shown
    assert {each.method for each in sandbox.requests} == {"GET"}


def test_another_amount_approves_nothing_and_may_be_corrected(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = payment(ledger)
    with at_terminal("approve", change.id, environment=environment) as terminal:
        for typed in ("12.00", "yes"):
            terminal.shows(TYPE_AMOUNT)
            terminal.types(typed)
            terminal.shows("That is not the amount, 120.00. Nothing is approved.")
            assert state_of(ledger, change) is State.PROPOSED
        terminal.shows(TYPE_AMOUNT)
        terminal.types("120.00")
        assert terminal.ends() == 0
    assert state_of(ledger, change) is State.APPROVED


def test_after_three_wrong_amounts_it_is_left_waiting(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = payment(ledger)
    with at_terminal("approve", environment=environment) as terminal:
        for _ in range(3):
            terminal.shows(TYPE_AMOUNT)
            terminal.types("119.99")
        assert terminal.ends() == 1
    assert state_of(ledger, change) is State.PROPOSED


@pytest.mark.parametrize(
    ("answer", "then", "state", "status"),
    [("", "d", State.DECLINED, 0), ("no", "", State.PROPOSED, 1)],
)
def test_nothing_typed_or_no_asks_whether_to_decline(
    ledger: Ledger,
    environment: dict[str, str],
    answer: str,
    then: str,
    state: State,
    status: int,
) -> None:
    change = payment(ledger)
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows(TYPE_AMOUNT)
        terminal.types(answer)
        terminal.shows("d: decline it")
        terminal.types(then)
        assert terminal.ends() == status
    assert state_of(ledger, change) is state


@pytest.mark.parametrize("way", ["end of input", "interrupt"])
def test_going_away_leaves_it_waiting(
    ledger: Ledger, environment: dict[str, str], way: str
) -> None:
    change = payment(ledger)
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows(TYPE_AMOUNT)
        if way == "interrupt":
            terminal.interrupts()
        else:
            terminal.types("\x04")
        assert terminal.ends() == (130 if way == "interrupt" else 1)
    assert state_of(ledger, change) is State.PROPOSED
    assert "Traceback" not in terminal.shown


def test_text_typed_before_the_question_is_not_an_answer(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = payment(ledger)
    with at_terminal("approve", environment=environment) as terminal:
        terminal.types("120.00")
        terminal.shows(TYPE_AMOUNT)
        terminal.types("")
        terminal.shows("d: decline it")
        terminal.types("")
        assert terminal.ends() == 1
    assert state_of(ledger, change) is State.PROPOSED


def test_a_change_that_charges_nothing_is_approved_by_typing_yes(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox
) -> None:
    change = ledger.propose(
        RECHARGE,
        {"enabled": True},
        reference=None,
        amount=None,
        question=Question("Change when Telnyx charges?", (Fact("enabled", "no -> yes"),)),
        basis={"before": sandbox.account.preferences},
        now=datetime.now(UTC),
    )
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows("update auto recharge preferences: enabled yes")
        terminal.shows("enabled: no -> yes")
        terminal.shows("type yes")
        terminal.types("y")
        terminal.shows("That is not yes.")
        terminal.types("yes")
        terminal.shows("Approved.")
        assert terminal.ends() == 0
    assert state_of(ledger, change) is State.APPROVED


def test_of_several_one_is_named(ledger: Ledger, environment: dict[str, str]) -> None:
    first, second = payment(ledger, "10.00"), payment(ledger, "20.00")
    with at_terminal("approve", environment=environment) as terminal:
        assert terminal.ends() == 1
    for change, amount in ((first, "10.00"), (second, "20.00")):
        assert (
            f"{change.id}  pay {amount}, since {change.proposed_at:%H:%M}, until" in terminal.shown
        )
    with at_terminal("approve", second.id, environment=environment) as terminal:
        terminal.shows("type the amount, 20.00")
        terminal.types("20.00")
        assert terminal.ends() == 0
    assert (state_of(ledger, first), state_of(ledger, second)) == (State.PROPOSED, State.APPROVED)


def test_nothing_waiting_an_unknown_id_and_an_answered_one_are_reported(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    late = payment(ledger, ago=LIFETIME)
    for arguments, words in (
        (("approve",), "Nothing waits for approval for the account whose key is used here"),
        (("approve", "beef"), "No change beef is recorded for the account whose key"),
        (("approve", late.id), "It no longer waits for an answer: it is expired."),
    ):
        with at_terminal(*arguments, environment=environment) as terminal:
            terminal.shows(words)
            assert terminal.ends() == 1


def test_a_question_that_was_answered_elsewhere_meanwhile_is_not_answered_again(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = payment(ledger)
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows(TYPE_AMOUNT)
        ledger.decline(change.id, "browser", datetime.now(UTC))
        terminal.types("120.00")
        terminal.shows("it is declined. The user declined. Nothing was approved now.")
        assert terminal.ends() == 1
    assert state_of(ledger, change) is State.DECLINED


def test_a_payment_that_could_not_be_sent_anyway_is_not_asked_about(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    waiting = payment(ledger, "20.00")
    lost = unknown(ledger)
    with at_terminal("approve", waiting.id, environment=environment) as terminal:
        terminal.shows("Nothing was sent: the outcome of the payment of 120.00")
        terminal.shows(f"telnyx-account-mcp resolve {lost.id}")
        assert terminal.ends() == 1
    assert "type the amount" not in terminal.shown
    assert state_of(ledger, waiting) is State.VOID


def test_a_question_cannot_move_the_cursor_or_hide_words(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    hostile = "\x1b[1A\x1b[2K\u202emoc.live\u202c [red]x[/red]"
    ledger.propose(
        PAYMENT,
        {"amount": "120.00"},
        reference=None,
        amount=Decimal("120.00"),
        question=Question("Pay 120.00?", (Fact("Account", hostile),), typed="120.00"),
        basis={"balance": BALANCE},
        now=datetime.now(UTC),
    )
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows("Account: \\x1b[1A\\x1b[2K\\u202emoc.live\\u202c [red]x[/red]")


@pytest.mark.parametrize("typed", ["120.00\n", ""])
def test_a_pipe_approves_nothing(ledger: Ledger, environment: dict[str, str], typed: str) -> None:
    change = payment(ledger)
    done = piped("approve", change.id, environment=environment, typed=typed)
    assert done.returncode == 2
    assert "works at a terminal only" in done.stderr
    assert state_of(ledger, change) is State.PROPOSED


def test_a_terminal_that_is_only_half_there_approves_nothing(
    ledger: Ledger, environment: dict[str, str], tmp_path: Path
) -> None:
    change = payment(ledger)
    screen, other_end = pty.openpty()
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "telnyx_mcp", "approve", change.id],
            stdin=other_end,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
            env=whole(environment),
        )
    os.close(other_end)
    os.close(screen)
    assert done.returncode == 2
    assert state_of(ledger, change) is State.PROPOSED


# --- approve, and a server that waits for it ------------------------------------------------------


async def pays(server: ServerProcess, amount: str = "120.00") -> dict[str, Any]:
    """What a call for this payment comes to."""
    result = await server.ask("tools/call", {"name": PAY, "arguments": {"amount": amount}})
    return dict(result["structuredContent"])


async def test_a_server_pays_once_after_the_terminal_approved(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    def approve() -> None:
        with at_terminal("approve", environment=environment) as terminal:
            terminal.shows("SANDBOX: a sandbox account, no real money")
            terminal.shows(TYPE_AMOUNT)
            terminal.types("120.00")
            assert terminal.ends() == 0

    async with started(environment=environment | {"TELNYX_MCP_APPROVAL": "terminal"}) as server:
        await server.initialize()
        first = await pays(server)
        assert first["state"] == "proposed"
        assert "telnyx-account-mcp approve" in first["message"]
        assert sandbox.payments == []
        await anyio.to_thread.run_sync(approve)
        assert (await pays(server))["state"] == "succeeded"
        again = await pays(server)
    assert again["state"] == "succeeded"
    assert again["change_id"] == first["change_id"]
    assert len(sandbox.payments) == 1


async def test_the_terminal_answers_while_a_call_waits_for_its_client(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    def approve() -> None:
        with at_terminal("approve", environment=environment) as terminal:
            terminal.shows(TYPE_AMOUNT)
            terminal.types("120.00")
            assert terminal.ends() == 0

    async with started(environment=environment) as server:
        await server.initialize()
        call = await server.request("tools/call", {"name": PAY, "arguments": {"amount": "120.00"}})
        question = await server.receive()
        assert question["method"] == "elicitation/create"
        await anyio.to_thread.run_sync(approve)
        closed = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}}
        await server.send(closed)
        answer = await server.receive()
    assert answer["id"] == call
    assert answer["result"]["structuredContent"]["state"] == "succeeded"
    assert len(sandbox.payments) == 1


# --- ledger ---------------------------------------------------------------------------------------


def test_the_newest_changes_come_first_in_a_table(
    ledger: Ledger, run: Run, sandbox: Sandbox
) -> None:
    older = payment(ledger, "10.00", ago=timedelta(minutes=3))
    newer = unknown(ledger, "20.00")
    done = run("ledger")
    assert (done.returncode, done.stderr) == (0, "")
    rows = done.stdout.splitlines()
    assert [rows[1].split()[0], rows[2].split()[0]] == [newer.id, older.id]
    assert "unknown" in rows[1]
    assert re.search(r"  sent 20\d\d-\d\d-\d\d \d\d:\d\d  ", rows[1])
    assert re.search(r"  asked 20\d\d-\d\d-\d\d \d\d:\d\d  ", rows[2])
    assert "elicitation" in rows[1]
    assert "pay 20.00" in rows[1]
    assert sandbox.requests == []


def test_one_change_is_shown_in_full(ledger: Ledger, run: Run) -> None:
    change = unknown(ledger)
    done = run("ledger", change.id)
    assert done.returncode == 0
    assert QUESTION in done.stdout
    facts = dict(re.findall(r"^(\S[a-z ]*?) {2,}(.+)$", done.stdout, re.MULTILINE))
    assert facts["id"] == change.id
    assert facts["state"].startswith("unknown, since 20")
    assert facts["requested via"] == "claude-code 2.1"
    assert facts["approved by"] == "elicitation by claude-code 2.1"
    assert facts["decided"].startswith("20")
    assert facts["sent"].startswith("20")
    assert facts["sent by"]
    assert facts["what happened"] == "No answer came."
    assert facts["balance before"] == BALANCE
    assert facts["balance after"] == "504.60"
    assert facts["http status"] == "504"
    assert done.stdout.endswith(f"then run\n  telnyx-account-mcp resolve {change.id}\n")


def test_a_value_of_several_lines_cannot_pose_as_another_fact(ledger: Ledger, run: Run) -> None:
    change, now = unknown(ledger), datetime.now(UTC)
    ledger.resolve(change.id, paid=False, note="Looked.\nstate           succeeded", now=now)
    shown = run("ledger", change.id).stdout
    assert "Looked.\\nstate           succeeded" in shown
    assert re.findall(r"^state +(\w+)", shown, re.MULTILINE) == ["refused"]


def test_json_is_complete_and_has_always_the_same_names(ledger: Ledger, run: Run) -> None:
    waiting, lost = payment(ledger, "10.00", ago=timedelta(minutes=3)), unknown(ledger)
    done = run("ledger", "--json")
    found = json.loads(done.stdout)
    assert [each["id"] for each in found] == [lost.id, waiting.id]
    assert {tuple(each) for each in found} == {
        (
            "id",
            "operation",
            "arguments",
            "amount",
            "reference",
            "state",
            "approved_by",
            "declined_by",
            "decided_by",
            "requested_via",
            "sent_by",
            "happened",
            "note",
            "question",
            "basis",
            "evidence",
            "proposed_at",
            "decided_at",
            "sent_at",
            "updated_at",
            "waits_until",
            "replaced_by",
        )
    }
    one = json.loads(run("ledger", lost.id, "--json").stdout)
    assert one == found[0]
    assert one["amount"] == "120.00"
    assert one["question"] == QUESTION
    assert one["evidence"] == SEEN
    assert one["declined_by"] is None
    assert one["decided_by"] == one["requested_via"] == "claude-code 2.1"
    stored = ledger.get(lost.id, datetime.now(UTC))
    assert stored
    for name in ("proposed_at", "decided_at", "sent_at", "updated_at"):
        assert datetime.fromisoformat(one[name]) == getattr(stored, name)
    not_yet = found[1]
    assert [not_yet[name] for name in ("decided_at", "decided_by", "sent_at")] == [None] * 3


def test_limit_and_state_choose_what_is_listed(ledger: Ledger, run: Run) -> None:
    payment(ledger, "10.00")
    payment(ledger, "20.00")
    lost = unknown(ledger)

    def listed(*options: str) -> list[str]:
        done = run("ledger", "--json", *options)
        return [each["id"] for each in json.loads(done.stdout)]

    assert len(listed("--limit", "2")) == 2
    assert listed("--state", "unknown") == [lost.id]
    assert listed("--state", "not-sent") == []
    assert "There are more" in run("ledger", "--limit", "1").stdout
    for wrong in (("--limit", "0"), ("--limit", "x"), ("--state", "paid")):
        assert run("ledger", *wrong).returncode == 2


def test_an_export_has_everything_since_a_moment_or_says_that_it_has_not(
    ledger: Ledger, run: Run
) -> None:
    for cents in range(25):
        payment(ledger, f"10.{cents:02}")
    assert len(json.loads(run("ledger", "--json", "--since", "2026-01-01").stdout)) == 25
    assert run("ledger", "--json", "--since", "2999-01-01T00:00Z").stdout == "[]\n"
    cut = run("ledger", "--json", "--since", "2026-01-01", "--limit", "5")
    assert (len(json.loads(cut.stdout)), cut.returncode) == (5, 1)
    assert "There are more than 5" in cut.stderr
    assert run("ledger", "--since", "yesterday").returncode == 2


def test_an_empty_ledger_and_an_unknown_id_are_reported(run: Run) -> None:
    empty = run("ledger")
    assert empty.returncode == 0
    assert "No change is recorded for the account whose key is used here" in empty.stdout
    assert run("ledger", "--json").stdout == "[]\n"
    missing = run("ledger", "beef")
    assert missing.returncode == 1
    assert "No change beef" in missing.stderr


def test_another_key_sees_other_changes(ledger: Ledger, run: Run) -> None:
    change = payment(ledger)
    other = "KEYanother0123456789"
    assert "No change is recorded" in run("ledger", TELNYX_API_KEY=other).stdout
    assert run("ledger", change.id, TELNYX_API_KEY=other).returncode == 1
    assert run("ledger", "--json", TELNYX_API_KEY=other).stdout == "[]\n"


def test_what_nobody_will_finish_is_shown_as_it_is_now(ledger: Ledger, run: Run) -> None:
    late = payment(ledger, ago=LIFETIME)
    done = run("ledger", "--json")
    assert [(each["id"], each["state"]) for each in json.loads(done.stdout)] == [
        (late.id, "expired")
    ]


# --- resolve --------------------------------------------------------------------------------------


def refusal(ledger: Ledger) -> Reason | None:
    """Why no payment is made now, if none is."""
    return ledger.refusal(PAYMENT, Decimal(10), None, datetime.now(UTC))


@pytest.mark.parametrize(
    ("found", "state"), [("--paid", State.SUCCEEDED), ("--not-paid", State.REFUSED)]
)
def test_resolving_lets_payments_be_made_again(
    ledger: Ledger, environment: dict[str, str], found: str, state: State
) -> None:
    change = unknown(ledger)
    assert isinstance(refusal(ledger), UnknownPayment)
    arguments = ("resolve", change.id, found, "--note", "looked it up")
    with at_terminal(*arguments, environment=environment) as terminal:
        terminal.shows("http status")
        terminal.shows(TYPE_AMOUNT)
        terminal.types("120")
        terminal.shows("Payments can be made again.")
        assert terminal.ends() == 0
    resolved = ledger.get(change.id, datetime.now(UTC))
    assert resolved
    assert resolved.state is state
    assert resolved.note.endswith("looked it up")
    assert refusal(ledger) is None
    paid = Decimal("120.00") if found == "--paid" else Decimal(0)
    assert ledger.spent(datetime.now(UTC)).day == paid


def test_resolving_at_a_terminal_shows_the_evidence_and_asks_for_the_amount(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = unknown(ledger)
    for typed, status, state in (
        ("yes", 1, State.UNKNOWN),
        ("120", 0, State.SUCCEEDED),
    ):
        with at_terminal("resolve", change.id, "--paid", environment=environment) as terminal:
            terminal.shows("balance before")
            terminal.shows("You say that it happened.")
            terminal.shows(TYPE_AMOUNT)
            terminal.types(typed)
            assert terminal.ends() == status
        assert state_of(ledger, change) is state


def test_resolving_needs_a_terminal(ledger: Ledger, run: Run) -> None:
    change = unknown(ledger)
    done = run("resolve", change.id, "--paid")
    assert done.returncode == 2
    assert "no terminal" in done.stderr
    assert state_of(ledger, change) is State.UNKNOWN


def _approved(ledger: Ledger, change: Change) -> None:
    ledger.approve(change.id, "terminal", datetime.now(UTC))


def _sending(ledger: Ledger, change: Change) -> None:
    _approved(ledger, change)
    ledger.claim(change.id, datetime.now(UTC))


def _paid(ledger: Ledger, change: Change) -> None:
    _sending(ledger, change)
    ledger.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, datetime.now(UTC))


def _declined(ledger: Ledger, change: Change) -> None:
    ledger.decline(change.id, "terminal", datetime.now(UTC))


@pytest.mark.parametrize(
    ("bring", "state"),
    [
        (lambda _ledger, _change: None, State.PROPOSED),
        (_approved, State.APPROVED),
        (_sending, State.SENDING),
        (_paid, State.SUCCEEDED),
        (_declined, State.DECLINED),
    ],
)
def test_only_an_unknown_change_can_be_resolved(
    ledger: Ledger,
    run: Run,
    bring: Callable[[Ledger, Change], None],
    state: State,
) -> None:
    change = payment(ledger)
    bring(ledger, change)
    done = run("resolve", change.id, "--not-paid")
    assert done.returncode == 1
    assert f"nothing to resolve: pay 120.00 is {state}" in done.stderr
    assert state_of(ledger, change) is state


def test_resolve_takes_one_finding_at_most_and_a_known_id(run: Run) -> None:
    for wrong in ((), ("beef", "--paid", "--not-paid")):
        assert run("resolve", *wrong).returncode == 2
    for found in ((), ("--paid",), ("--not-paid",)):
        missing = run("resolve", "beef", *found)
        assert missing.returncode == 1
        assert "No change beef" in missing.stderr


def test_a_sender_that_was_killed_leaves_a_change_to_resolve(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = payment(ledger)
    claim = (
        "import sys; from datetime import UTC, datetime\n"
        "from telnyx_mcp.approval.opening import open_ledger\n"
        "from telnyx_mcp.config.settings import Settings\n"
        "ledger = open_ledger(Settings()); now = datetime.now(UTC)\n"
        "ledger.approve(sys.argv[1], 'terminal', now); ledger.claim(sys.argv[1], now)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    sender = subprocess.run(
        [sys.executable, "-c", claim, change.id],
        env=whole(environment),
        timeout=SECONDS,
        check=False,
    )
    assert sender.returncode == -signal.SIGKILL
    assert state_of(ledger, change) is State.UNKNOWN
    with at_terminal("resolve", change.id, "--not-paid", environment=environment) as terminal:
        terminal.shows("balance before")
        terminal.shows(TYPE_AMOUNT)
        terminal.types("120")
        assert terminal.ends() == 0
    assert state_of(ledger, change) is State.REFUSED


# --- what the texts say to run, of a profile ------------------------------------------------------


@pytest.fixture
def profile_eu(environment: dict[str, str], tmp_path: Path) -> None:
    """The sandbox is the profile `eu`; the environment's own key opens another account."""
    file = tmp_path / "profiles.toml"
    file.write_text('[profiles.eu]\nkey_from = "env:KEY_EU"\n', "utf-8")
    environment |= {
        "TELNYX_MCP_PROFILES": str(file),
        "TELNYX_MCP_APPROVAL": "terminal",
        "KEY_EU": environment["TELNYX_API_KEY"],
        "TELNYX_API_KEY": "KEYofanotheraccount",
    }


@pytest.mark.usefixtures("profile_eu")
def test_what_a_call_says_to_run_approves_and_resolves_the_payment_of_a_profile(
    environment: dict[str, str], sandbox: Sandbox, run: Run
) -> None:
    def call(amount: str) -> str:
        done = run("call", "--profile", "eu", PAY, f"amount={amount}", COLUMNS="2000")
        return done.stdout + done.stderr

    def types_amount(*arguments: str) -> None:
        with at_terminal(*arguments, environment=environment) as terminal:
            if arguments[0] == "resolve":
                terminal.shows("Type paid or not paid")
                terminal.types("paid")
            terminal.shows("type the amount, 12.00")
            terminal.types("12.00")
            assert terminal.ends() == 0

    types_amount(*told_to_run(call("12.00")))
    sandbox.fault("create_stored_payment_transaction", "status", status=500)
    unknown = call("12.00")
    assert "UNKNOWN" in unknown
    resolve = told_to_run(unknown)
    assert told_to_run(call("13.00")) == resolve, "the refusal of another payment names it too"
    shown = run("ledger", "--profile", "eu", resolve[1]).stdout
    types_amount(*told_to_run(shown))
    assert "succeeded" in run("ledger", "--profile", "eu").stdout


@pytest.mark.usefixtures("profile_eu")
def test_a_missing_change_is_reported_for_the_profile_that_was_searched(run: Run) -> None:
    ours = run("ledger", "--profile", "eu")
    assert ours.stdout == "No change is recorded for profile eu.\n"
    missing = run("resolve", "beef", "--paid", "--profile", "eu")
    assert "No change beef is recorded for profile eu." in missing.stderr
    assert "telnyx-account-mcp ledger --profile eu" in missing.stderr
    assert "of a profile: --profile NAME" in run("ledger").stdout


# --- without a key, without a store, without a trace ----------------------------------------------


@pytest.mark.parametrize("arguments", [("ledger",), ("approve",), ("resolve", "beef", "--paid")])
def test_without_a_key_the_answer_says_how_to_set_one(
    arguments: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    done = run(*arguments, TELNYX_API_KEY="")
    assert done.returncode == 1
    assert "set TELNYX_API_KEY" in done.stderr
    assert "--client CLIENT" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("ledger",), ("resolve", "beef", "--paid")])
def test_a_store_that_cannot_be_used_is_reported(
    arguments: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "state.sqlite3").write_bytes(b"no database " * 400)
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "The file is damaged" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["approve", "ledger", "resolve"])
def test_help_says_what_it_is_for_and_what_its_exit_status_means(command: str, run: Run) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "exit status: 0 done" in done.stdout


def test_a_call_on_the_sandbox_leaves_nothing_behind(untouched: dict[str, str]) -> None:
    done = piped("call", "--sandbox", PAY, "amount=120", environment=untouched)
    assert "needs the user's approval" in " ".join(done.stdout.split())


@pytest.mark.parametrize("way", ["end of input", "signal"])
async def test_a_server_on_the_sandbox_leaves_nothing_behind(
    untouched: dict[str, str], way: str
) -> None:
    async with started("serve", "--sandbox", environment=untouched) as server:
        await server.initialize(elicitation=False)
        assert (await pays(server))["state"] == "proposed"
        if way == "signal":
            server.process.send_signal(signal.SIGTERM)
            assert await server.process.wait() == 0
        else:
            assert (await server.ended())[0] == 0


async def test_a_store_that_is_set_is_used_on_the_sandbox_too(tmp_path: Path) -> None:
    store = {"TELNYX_MCP_STATE_URL": f"sqlite:///{tmp_path}/mine.sqlite3"}
    async with started("serve", "--sandbox", environment=store) as server:
        await server.initialize(elicitation=False)
        assert (await pays(server))["state"] == "proposed"
        await server.ended()
    assert (tmp_path / "mine.sqlite3").exists()
