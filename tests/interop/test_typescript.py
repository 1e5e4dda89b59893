"""Clients of both TypeScript SDKs, which most hosts are made with, over stdio and HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.tools import TOOLS
from tests.interop.processes import HERE, PLAIN, run, serving
from tests.support import raw_api
from tests.support.server_process import TOKEN

pytestmark = pytest.mark.interop

AMOUNT = "12.00"
CLEAN = {"code": 0, "signal": None}
CLOSED_WITHIN = 2.0
"""Seconds after which these clients send SIGTERM to a server that does not end with its stdin."""

Call = tuple[str, Mapping[str, Any]]
PAYMENT: Call = ("telnyx_create_stored_payment_transaction", {"amount": AMOUNT})
Report = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A client: the SDK's version, how it negotiates, and what that must come to."""

    sdk: int
    mode: str | Mapping[str, str]
    revision: str
    starts: int = 1
    """Processes over stdio: to negotiate, version 2 asks one first that it then throws away."""


CLIENTS = {
    "v1": Made(1, "legacy", "2025-11-25"),
    "v2-legacy": Made(2, "legacy", "2025-11-25"),
    "v2-auto": Made(2, "auto", "2026-07-28", starts=2),
}
PINNED = Made(2, {"pin": "2026-07-28"}, "2026-07-28", starts=2)


@dataclass(frozen=True)
class Answer:
    """What the person does with the question, and what must come of it."""

    person: Mapping[str, str] | None
    state: str
    says: str
    paid: bool = False
    is_error: bool = False


ANSWERS = {
    "accepted": Answer({"action": "accept"}, "succeeded", "Done: paying 12.00.", paid=True),
    "mistyped": Answer(
        {"action": "accept", "typed": "120.00"},
        "proposed",
        "what the user typed is not the amount",
    ),
    "declined": Answer({"action": "decline"}, "declined", "the user declined paying 12.00"),
    "cancelled": Answer({"action": "cancel"}, "proposed", "closed without an answer"),
    "cannot-ask": Answer(None, "proposed", "can't be used here", is_error=True),
}


@contextmanager
def reached(transport: str, environment: Mapping[str, str]) -> Iterator[str | None]:
    """The address of a server over HTTP; None for stdio, where the client starts its own."""
    if transport == "http":
        with serving(*PLAIN, environment=environment) as url:
            yield url
    else:
        yield None


def report_of(
    node: Path,
    made: Made,
    url: str | None,
    environment: Mapping[str, str],
    calls: Sequence[Call],
    person: Mapping[str, str] | None = None,
) -> Report:
    """What the client saw, after it came and went without a complaint of its own or the server's."""
    stdio = {"command": sys.executable, "args": ["-m", "telnyx_mcp"], "env": environment}
    plan = {
        "sdk": made.sdk,
        "mode": made.mode,
        "url": url,
        "headers": {"authorization": f"Bearer {TOKEN}"},
        "server": stdio,
        "calls": calls,
        "person": person,
    }
    ended = run(node, HERE / "typescript.mjs", json.dumps(plan), environment=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    report: Report = json.loads(ended.stdout)
    assert (report["errors"], report["stderr"]) == ([], "")
    assert report["revision"] == made.revision
    assert len(report["processes"]) == (0 if url else made.starts)
    return report


@pytest.fixture(params=CLIENTS)
def made(request: pytest.FixtureRequest) -> Made:
    return CLIENTS[request.param]


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def reading_calls(sandbox: Sandbox) -> list[Call]:
    """A call of each tool that only reads."""
    newest = {"page[number]": 1, "page[size]": 1}
    invoice = raw_api.get(sandbox, "invoices", newest)["data"][0]["invoice_id"]
    delivery = raw_api.get(sandbox, "webhook_deliveries", newest)["data"][0]["id"]
    recent = {"filter[record_type]": "recording", **newest}
    session = raw_api.get(sandbox, "detail_records", recent)["data"][0]["call_session_id"]
    month = {"start_date": "2026-05-01", "end_date": "2026-06-01"}
    given: Mapping[str, Mapping[str, Any]] = {
        "telnyx_summarize_spend": {"period": "2026-05"},
        "telnyx_get_charges_summary": month,
        "telnyx_get_charges_breakdown": month,
        "telnyx_get_invoice": {"invoice_id": invoice},
        "telnyx_summarize_usage": {"product": "messaging", "period": "2026-05"},
        "telnyx_search_detail_records": {"record_type": "messaging"},
        "telnyx_get_webhook_delivery": {"delivery_id": delivery},
        "telnyx_get_session_cost": {"session_id": session},
    }
    return [(each.name, given.get(each.name, {})) for each in TOOLS if not each.changes]


def test_it_lists_everything_and_its_own_check_of_each_tool_s_result_passes(
    node: Path, sandbox: Sandbox, environment: dict[str, str], made: Made, transport: str
) -> None:
    calls = reading_calls(sandbox)
    with reached(transport, environment) as url:
        report = report_of(node, made, url, environment, calls)
    assert report["server"]["name"] == "telnyx-account-mcp"
    assert [each["name"] for each in report["tools"]] == [each.name for each in TOOLS]
    assert all(each["outputSchema"]["properties"] for each in report["tools"])
    assert [each["name"] for each in report["prompts"]] == [each.name for each in read_prompts()]
    assert "telnyx://balance" in [each["uri"] for each in report["resources"]]
    assert report["templates"]
    for (name, _), result in zip(calls, report["results"], strict=True):
        assert not result["isError"], (name, result["content"])
        assert result["structuredContent"]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_payment_is_made_once_if_the_person_types_its_amount_and_else_not_at_all(
    node: Path,
    sandbox: Sandbox,
    environment: dict[str, str],
    made: Made,
    transport: str,
    answer: Answer,
) -> None:
    before = sandbox.balance
    if answer.person is None:
        environment["TELNYX_MCP_APPROVAL"] = "elicitation"  # so that no page is opened either
    with reached(transport, environment) as url:
        report = report_of(node, made, url, environment, [PAYMENT], answer.person)
    asked = [f"Pay {AMOUNT} USD" in question for question in report["questions"]]
    assert asked == ([True] if answer.person else [])
    [result] = report["results"]
    assert result["structuredContent"]["state"] == answer.state
    assert answer.says in result["content"][0]["text"]
    assert result["isError"] is answer.is_error
    cents = [each["amount_cents"] for each in sandbox.payments]
    assert cents == ([1200] if answer.paid else [])
    assert sandbox.balance - before == (Decimal(AMOUNT) if answer.paid else 0)
    sent = [each for each in sandbox.requests if each.method != "GET"]
    assert len(sent) == len(cents)


@pytest.mark.parametrize("made", [*CLIENTS.values(), PINNED], ids=[*CLIENTS, "v2-pinned"])
def test_the_server_ends_cleanly_when_the_client_closes_its_stdin(
    node: Path, environment: dict[str, str], made: Made
) -> None:
    report = report_of(node, made, None, environment, [("telnyx_get_balance", {})])
    *probes, server = report["processes"]
    assert server == CLEAN
    assert report["closing"] < CLOSED_WITHIN
    assert all(probe["signal"] != "SIGKILL" for probe in probes)


def test_when_the_client_goes_while_the_person_is_asked_the_next_one_is_asked_and_pays_once(
    node: Path, sandbox: Sandbox, environment: dict[str, str], made: Made, transport: str
) -> None:
    with reached(transport, environment) as url:
        left = report_of(node, made, url, environment, [PAYMENT], {"action": "leave"})
        assert "failed" in left["results"][0]
        assert sandbox.payments == []
        next_one = report_of(node, made, url, environment, [PAYMENT], {"action": "accept"})
    assert [len(each["questions"]) for each in (left, next_one)] == [1, 1]
    assert next_one["results"][0]["structuredContent"]["state"] == "succeeded"
    assert len(sandbox.payments) == 1
    assert left["closing"] < CLOSED_WITHIN
    assert all(each == CLEAN for each in left["processes"][-1:])
