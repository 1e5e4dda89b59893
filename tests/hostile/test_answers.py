"""Whatever Telnyx, or what stands in its place, answers: a clean result or a clear error.

A proxy in front of the sandbox account spoils its answers on their way: a field replaced, dropped,
said twice, or put in where no document has it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_types import ElicitResult
from pydantic import BaseModel, SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.results import Result, Row
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support.client import call, content_of, text_of
from tests.support.clock import TODAY
from tests.support.hostile_arguments import Arguments, nested
from tests.support.hostile_caller import (
    DECLINES,
    MAX_BYTES,
    MAX_TOKENS,
    PROGRAMS_WORDS,
    SECRET_KEY,
    Caller,
    calling,
    check_answer,
)
from tests.support.process_memory import MEBIBYTE, held, peak
from tests.support.scripted_telnyx import Answer, Scripted, answer
from tests.support.server_process import check_end, started

QUICK, LONG = 25, 200
"""Examples for each call."""
MANY_REQUESTS = {"runway", "spend", "spend so far", "failures", "audit that contains"}
"""Calls of dozens of requests each, which get fewer examples."""

MAY = {"start_date": "2026-05-01", "end_date": "2026-06-01"}
WEEK = {"product": "messaging", "period": "last 7 days"}
CALLS: dict[str, tuple[str, Arguments]] = {
    "balance": ("telnyx_get_balance", {}),
    "runway": ("telnyx_get_balance", {"include_runway": True}),
    "spend": ("telnyx_summarize_spend", {"period": "2026-05", "compare_to": "previous"}),
    "spend so far": ("telnyx_summarize_spend", {"period": "this month"}),
    "charges": ("telnyx_get_charges_summary", MAY),
    "breakdown": ("telnyx_get_charges_breakdown", MAY),
    "breakdown as a file": ("telnyx_get_charges_breakdown", {**MAY, "export": True}),
    "invoices": ("telnyx_list_invoices", {}),
    "unpaid": ("telnyx_list_invoices", {"unpaid_only": True}),
    "invoice": ("telnyx_get_invoice", {"include_download_link": True}),
    "records": ("telnyx_search_detail_records", {"record_type": "messaging"}),
    "records as a file": (
        "telnyx_search_detail_records",
        {"record_type": "messaging", "date_range": "yesterday", "export": True},
    ),
    "summary": (
        "telnyx_summarize_usage",
        {**WEEK, "group_by": ["day", "status", "tag"]},
    ),
    "summary by others": (
        "telnyx_summarize_usage",
        {**WEEK, "group_by": ["hour", "error", "from"]},
    ),
    "audit": ("telnyx_list_audit_events", {}),
    "audit that contains": ("telnyx_list_audit_events", {"contains": ["a"]}),
    "deliveries": ("telnyx_list_webhook_deliveries", {}),
    "failures": ("telnyx_list_webhook_deliveries", {"group_failures": True}),
    "delivery": ("telnyx_get_webhook_delivery", {"include_payload": True}),
    "session": ("telnyx_get_session_cost", {}),
    "numbers": ("telnyx_list_phone_numbers", {"profile": "none"}),
    "numbers in groups": ("telnyx_list_phone_numbers", {"group_by": ["tag", "billing_group"]}),
    "tags": ("telnyx_list_user_tags", {}),
    "preferences": ("telnyx_get_auto_recharge_preferences", {}),
    "changes": ("telnyx_list_changes", {}),
    "payment": ("telnyx_create_stored_payment_transaction", {"amount": "10.00"}),
    "update": ("telnyx_update_auto_recharge_preferences", {"threshold_amount": "50.00"}),
    "update approved": ("telnyx_update_auto_recharge_preferences", {"threshold_amount": "9.00"}),
}
CALLS |= {each.name: (each.name, {}) for each in TOOLS if each.name not in dict(CALLS.values())}
"""Every tool, on every way it has. The two that change something ask Telnyx before they ask the user."""
FRESH: Mapping[str, Mapping[str, Callable[[int], str]]] = {
    "telnyx_create_stored_payment_transaction": {"reference": "number {}".format},
    "telnyx_update_auto_recharge_preferences": {"threshold_amount": "{}.01".format},
}
"""What makes a change another one, as the same one would only be told again."""
NUMBERS = count(1)
"""For every test, as they share one ledger."""
APPROVES = ElicitResult(action="accept", content={"approve": True})


# --- a proxy that spoils ---------------------------------------------------------------------------


@dataclass
class Proxy:
    """Stands between the server and the sandbox account. `spoil` makes another body of each."""

    told: Scripted
    account: Sandbox
    spoil: Callable[[bytes], bytes] = bytes

    def answer(self, behind: httpx.AsyncClient) -> Answer:
        async def send(writer: asyncio.StreamWriter) -> None:
            asked = self.told.requests[-1]
            got = await behind.request(asked.method, asked.target.removeprefix("/v2"))
            await answer(got.status_code, self.spoil(got.content))(writer)

        return send


@contextmanager
def proxy_in(portal: BlockingPortal, account: Sandbox) -> Iterator[Proxy]:
    """A proxy that listens, in the portal's loop."""
    proxy = Proxy(Scripted(), account)
    behind = httpx.AsyncClient(
        verify=False, base_url=account.base_url, headers={"authorization": f"Bearer {account.key}"}
    )

    async def listen() -> asyncio.Server:
        proxy.told.will(proxy.answer(behind))
        return await asyncio.start_server(proxy.told.serve, "127.0.0.1", 0)

    listening = portal.call(listen)
    proxy.told.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v2"
    try:
        yield proxy
    finally:
        portal.call(listening.close)
        portal.call(behind.aclose)


# --- what it makes of an answer --------------------------------------------------------------------

DIGITS = "@digits@"
"""Becomes a number of a million digits, which `json` would refuse to write."""
SURROGATE = "@surrogate@"
"""Becomes half a character."""
BEYOND = "@beyond@"
"""Becomes a number that no float can hold."""
ODD = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, -1, 5, 1.5, 2**63, -(10**30), 10**400, 1e308, -0.0, 5e-324),
            *(float("nan"), float("inf"), float("-inf")),
            *(
                "",
                " ",
                "NaN",
                "-Infinity",
                "1e999999",
                "1e-999999",
                "1E+28",
                "9" * 4000,
                "٣",
                "1,5",
            ),
            *("0001-01-01", "9999-12-31T23:59:59-12:00", "2026-13-45", "2026-06-15T12:00:00"),
            *(
                "\x1b]8;;http://x\x07\x1b[2J",
                "\u202etxt\u2066\u200b\U000e0041",
                "\x00\x9b",
                "\r\n\r\n",
            ),
            *("x" * 1_000_000, "é" * 100_000, "a b" * 10_000, "\\", '"}]}', "{0}{state}%s"),
            *("=cmd|' /C calc'!A0", "https://u:p@[::1", "Bearer abcdefghijklmn"),
            *(DIGITS, SURROGATE, BEYOND, SECRET_KEY),
            *([], {}, [[]], [None], [5], ["x"], {"a": None}, {"": ""}, nested(150), [{}] * 300),
            *(["x" * 200] * 300, ["ab"] * 20_000, [{"name": "é" * 50}] * 3_000),
            {f"name{number}": number for number in range(20_000)},
        ]
    ),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
)


def _kinds(base: type[BaseModel]) -> list[type[BaseModel]]:
    """The class and all that are made of it."""
    return [base, *(each for kind in base.__subclasses__() for each in _kinds(kind))]


OWN_NAMES = sorted({name for kind in _kinds(Result) + _kinds(Row) for name in kind.model_fields})
"""What results and rows call their fields, which Telnyx may call its own some day."""
NAMES = st.one_of(
    st.sampled_from(OWN_NAMES),
    st.sampled_from(
        [
            *(
                "data",
                "meta",
                "errors",
                "self",
                "made",
                "told",
                "model_config",
                "model_dump",
                "from",
            ),
            *("total_pages", "total_results", "page_number", "cost", "currency", "created_at"),
            *("", "__class__", "\x00", "\u202e", "x" * 10_000, SURROGATE),
        ]
    ),
    st.text(max_size=10),
)


def flood(piece: bytes, times: int, begin: bytes = b"") -> Answer:
    """A body that goes on and on, for as long as anyone reads it."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + begin)
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
        writer.close()

    return send


@dataclass(frozen=True)
class Spoiling:
    """One thing done to a body, to the node that `where` falls on."""

    where: int
    how: str
    name: str = ""
    value: Any = field(default=None, repr=False)

    def __call__(self, body: Any) -> Any:
        places = list(_places(body))
        if not places:
            return deepcopy(self.value)
        holder, key = places[self.where % len(places)]
        value = deepcopy(self.value)  # as all examples share it, and it could come to hold itself
        match self.how:
            case "replace":
                holder[key] = value
            case "drop":
                del holder[key]
            case "add":
                target = holder[key] if isinstance(holder[key], dict) else holder
                if isinstance(target, dict):
                    target[self.name] = value
                else:
                    target.append(value)
            case "whole":
                return value
        return body


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Each value in a body, as what holds it and where; the outer ones come first."""
    waiting = [body]
    for value in waiting:
        if isinstance(value, dict):
            yield from ((value, key) for key in value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            yield from ((value, index) for index in range(min(len(value), 3)))
            waiting.extend(value[:3])


SPOILINGS = st.lists(
    st.builds(
        Spoiling,
        st.one_of(st.integers(0, 30), st.integers(0, 300)),
        st.sampled_from(["replace"] * 5 + ["add", "add", "drop", "drop", "whole"]),
        NAMES,
        ODD,
    ),
    min_size=1,
    max_size=4,
)


def spoilt(content: bytes, spoilings: list[Spoiling]) -> bytes:
    """The body after that."""
    body = json.loads(content)
    for each in spoilings:
        body = each(body)
    return as_bytes(body)


def as_bytes(body: Any) -> bytes:
    """The body as bytes that `json` would not always write."""
    text = json.dumps(body, ensure_ascii=False)
    text = text.replace(f'"{DIGITS}"', "7" * 1_000_000).replace(f'"{BEYOND}"', "1e999")
    text = text.replace(SURROGATE, "\\ud800")
    return text.encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, Proxy]]:
    """A caller of a server that reaches the sandbox account through the proxy."""
    folder = tmp_path_factory.mktemp("answers")
    with (
        running_sandbox(today=TODAY, rate_limit=None, records_per_day=2, key=SECRET_KEY) as account,
        start_blocking_portal() as portal,
        proxy_in(portal, account) as proxy,
    ):
        set_to = Settings(
            api_key=SecretStr(SECRET_KEY),
            base_url=proxy.told.base_url,
            state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
            export_dir=folder,
            approval="elicitation",
        )
        with calling(set_to, "auto") as caller:
            yield caller, proxy


def with_ids(caller: Caller, name: str) -> tuple[str, Arguments]:
    """The call, with an id that the account knows where it takes one."""
    tool, arguments = CALLS[name]
    if tool == "telnyx_get_invoice":
        arguments = {**arguments, "invoice_id": caller.first("telnyx_list_invoices")["invoice_id"]}
    if tool == "telnyx_get_webhook_delivery":
        listed = caller.first("telnyx_list_webhook_deliveries")
        arguments = {**arguments, "delivery_id": listed["id"]}
    if tool == "telnyx_get_session_cost":
        recording = {"record_type": "recording", "page_size": 1}
        listed = content_of(caller.call("telnyx_search_detail_records", recording))["items"][0]
        arguments = {**arguments, "session_id": listed["call_session_id"]}
    return tool, arguments


def fuzz(behind_proxy: tuple[Caller, Proxy], name: str, most: int) -> None:
    caller, proxy = behind_proxy
    proxy.spoil = bytes
    tool, arguments = with_ids(caller, name)
    assert not check_answer(caller, tool, arguments).is_error

    @settings(max_examples=most, suppress_health_check=list(HealthCheck))
    @given(SPOILINGS)
    def each(spoilings: list[Spoiling]) -> None:
        proxy.spoil = lambda content: spoilt(content, spoilings)
        fresh = {name: write(next(NUMBERS)) for name, write in FRESH.get(tool, {}).items()}
        check_answer(caller, tool, arguments | fresh)

    caller.answer = APPROVES if name == "update approved" else DECLINES
    each()
    assert proxy.account.payments == []


@pytest.mark.parametrize("name", CALLS)
def test_a_spoilt_answer_is_a_clean_result_or_a_clear_error(
    behind_proxy: tuple[Caller, Proxy], name: str
) -> None:
    fuzz(behind_proxy, name, QUICK // 8 if name in MANY_REQUESTS else QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_very_many_spoilt_answers_are_clean_results_or_clear_errors(
    behind_proxy: tuple[Caller, Proxy], name: str
) -> None:
    fuzz(behind_proxy, name, LONG // 8 if name in MANY_REQUESTS else LONG)


# --- every field, one after the other --------------------------------------------------------------

Pattern = tuple[str, ...]
"""Where in a body a field is, whatever the row: the names on the way to it."""
LONG_LIST = ["ab"] * 20_000
LONG_OBJECT = {f"name{number}": number for number in range(20_000)}
ROWS = [{"name": "é" * 50, "amount": "1.00", "cost": "1.00", "id": f"{n}"} for n in range(3_000)]
TYPICAL: tuple[Any, ...] = (
    *("x" * 20_000, LONG_LIST[:3_000], dict(list(LONG_OBJECT.items())[:3_000]), ROWS[:300]),
    *("\x1b[31m\u202e", None),
)
WRONG: tuple[Any, ...] = (
    *(True, 5, -(10**30), 1.5, 10**400, "", "NaN", "1e999999", "9999-12-31T23:59:59-12:00", BEYOND),
    *([], {}, [None], [5], [[]], [{}], {"a": None}, nested(150), SURROGATE, DIGITS, "é" * 20_000),
)


def patterns_in(body: Any, so_far: Pattern = ()) -> set[Pattern]:
    """Every field that a body has."""
    found = {so_far}
    if isinstance(body, dict):
        for name, value in body.items():
            found |= patterns_in(value, (*so_far, name))
    elif isinstance(body, list):
        for value in body[:20]:
            found |= patterns_in(value, (*so_far, "*"))
    return found


def with_field(body: Any, pattern: Pattern, value: Any) -> Any:
    """The body with that field set to the value, in the first rows."""
    if not pattern:
        return value
    first, *rest = pattern
    if first == "*" and isinstance(body, list):
        return [with_field(each, tuple(rest), value) for each in body[:3]] + body[3:]
    if isinstance(body, dict):
        return {**body, first: with_field(body.get(first, {}), tuple(rest), value)}
    return body


def set_every_field(
    behind_proxy: tuple[Caller, Proxy], name: str, values: Sequence[Any], names: Sequence[str]
) -> int:
    """Calls with every field of the answers set to some of the values, and with every field added."""
    caller, proxy = behind_proxy
    caller.answer = DECLINES
    seen: set[Pattern] = set()

    def watch(content: bytes) -> bytes:
        seen.update(patterns_in(json.loads(content)))
        return content

    proxy.spoil = watch
    tool, arguments = with_ids(caller, name)

    def call_once() -> None:
        fresh = {each: write(next(NUMBERS)) for each, write in FRESH.get(tool, {}).items()}
        check_answer(caller, tool, arguments | fresh)

    call_once()
    objects = sorted({each[:-1] for each in seen if each and each[-1] != "*"} - {()}, key=len)[:3]
    added = {(*each, name) for each in objects for name in names} - seen
    called = 0
    for number, pattern in enumerate(sorted(seen | added)):
        for value in in_turn(values, number):
            proxy.spoil = lambda content, at=pattern, value=value: as_bytes(  # type: ignore[misc]
                with_field(json.loads(content), at, value)
            )
            call_once()
            called += 1
    return called


EACH_TIME = 4
"""How many values a field is set to. All of them come in turn, from field to field."""


def in_turn(values: Sequence[object], number: int) -> list[object]:
    """The values that this field is set to."""
    start = number * EACH_TIME
    return [values[(start + each) % len(values)] for each in range(min(EACH_TIME, len(values)))]


FIELD_CALLS = [each for each in CALLS if each not in {*MANY_REQUESTS, "changes", "update approved"}]
"""Those that ask Telnyx a few times."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELD_CALLS)
def test_every_field_may_be_long(behind_proxy: tuple[Caller, Proxy], name: str) -> None:
    assert set_every_field(behind_proxy, name, TYPICAL[:1], ["note"]) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELD_CALLS)
def test_every_field_may_be_anything(behind_proxy: tuple[Caller, Proxy], name: str) -> None:
    assert set_every_field(behind_proxy, name, TYPICAL + WRONG, []) > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELD_CALLS)
def test_any_field_may_be_new(behind_proxy: tuple[Caller, Proxy], name: str) -> None:
    assert set_every_field(behind_proxy, name, [5], OWN_NAMES) > 50


# --- what is much ----------------------------------------------------------------------------------


async def test_what_telnyx_calls_like_a_word_of_ours_is_not_taken_for_it(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """A new field of Telnyx's may have the name, and another kind, of one that is this server's."""
    told = dict.fromkeys(OWN_NAMES, "from Telnyx") | {"balance": "1.50", "new": "kept"}
    scripted.will_answer({"data": told | {"note": 5, "sandbox": ["x"], "runway": "long"}})
    content = content_of(await call(scripted_server, "telnyx_get_balance"))
    assert content["balance"] == "1.50"
    assert content["new"] == "kept"
    assert content.keys().isdisjoint({"note", "sandbox", "runway"})


@pytest.mark.parametrize(
    ("tool", "arguments", "data", "kept"),
    [
        (
            "telnyx_get_charges_summary",
            MAY,
            {"summary": {"lines": ROWS, "adjustments": ROWS}, "total": {"grand_total": "9.00"}},
            ("total", {"grand_total": "9.00"}),
        ),
        ("telnyx_get_balance", {}, {"balance": "1.50"} | LONG_OBJECT, ("balance", "1.50")),
        (
            "telnyx_list_user_tags",
            {},
            {"number_tags": ["a"], "outbound_profile_tags": LONG_LIST},
            ("number_tags", ["a"]),
        ),
    ],
)
async def test_a_very_large_answer_is_shortened_and_says_so(
    scripted: Scripted,
    scripted_server: AccountServer,
    tool: str,
    arguments: Arguments,
    data: Any,
    kept: tuple[str, Any],
) -> None:
    scripted.will_answer({"data": data})
    result = await call(scripted_server, tool, arguments)
    content = content_of(result)
    assert about_tokens(text_of(result)) <= MAX_TOKENS
    assert content[kept[0]] == kept[1]
    assert "entries of every list" in content["note"]


BODIES: Mapping[str, Answer] = {
    "300 MiB of text": flood(b"x" * MEBIBYTE, 300),
    "300 MiB of a string": flood(b"x" * MEBIBYTE, 300, begin=b'{"data":{"balance":"'),
    "300 MiB of rows": flood(b'{"id":"1"},' * 90_000, 300, begin=b'{"data":['),
    "15 MiB of a string": answer(200, b'{"data":{"balance":"' + b"x" * 15 * MEBIBYTE + b'"}}'),
    "2 MiB of numbers": answer(200, b'{"data":{"a":[' + b"1," * MEBIBYTE + b"1]}}"),
    "15 MiB of brackets": answer(200, b"[" * 15 * MEBIBYTE),
    "30,000 names": answer(200, {"data": {str(number): [] for number in range(30_000)}}),
    "a number of a million digits": answer(200, b'{"data":{"balance":' + b"7" * 1_000_000 + b"}}"),
    "a member a million times": answer(200, b'{"data":{' + b'"a":1,' * 1_000_000 + b'"a":1}}'),
    "a bomb": answer(
        200,
        gzip.compress(b'{"data":{"balance":"' + bytes(100 * MEBIBYTE), compresslevel=1),
        {"content-encoding": "gzip"},
    ),
}
MAX_MORE = 200 * MEBIBYTE
"""At most this much more is held at any time: 16 MiB are the most that is taken of an answer, and
some copies of it are made on the way. 100 were measured; 293 for 15 MiB of numbers, not among these."""


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is told by /proc")
async def test_an_answer_of_any_size_is_answered_and_holds_little(
    scripted: Scripted, tmp_path: Path
) -> None:
    environment = {
        "TELNYX_API_KEY": SECRET_KEY,
        "TELNYX_BASE_URL": scripted.base_url,
        "TELNYX_MCP_STATE_URL": f"sqlite:///{tmp_path}/state.sqlite3",
    }
    balance = {"name": "telnyx_get_balance", "arguments": {}}
    async with started(environment=environment) as server:
        await server.initialize()
        scripted.will_answer({"data": {"balance": "1.50"}})
        await server.ask("tools/call", balance)
        before = held(server)
        for body in BODIES.values():
            scripted.will(body)
            result = await server.ask("tools/call", balance)
            text = result["content"][0]["text"]
            assert len(text) < MAX_BYTES
            assert SECRET_KEY not in text
            assert not [each for each in PROGRAMS_WORDS if each in text.lower()], text
        assert peak(server) < before + MAX_MORE
        scripted.will_answer({"data": {"balance": "2.50"}})
        result = await server.ask("tools/call", balance)
        assert result["structuredContent"]["balance"] == "2.50"
        check_end(*await server.ended())
