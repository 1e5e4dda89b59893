"""One request: what goes over the wire, and what each answer is taken for."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.decoding import LARGEST_REPLY
from telnyx_mcp.telnyx.errors import Failure, Fate
from telnyx_mcp.telnyx.transport import MOST_CONNECTIONS, SANDBOX_HEADER, Transport
from tests.support.scripted_telnyx import (
    KEY,
    Answer,
    Scripted,
    answer,
    complaint,
    drip,
    failure_of,
    hang_up,
    raw,
    silence,
)
from tests.support.simulated_time import Time

GOOD = answer(200, {"data": {"balance": "300.00"}})
PAYMENT = op.CREATE_STORED_PAYMENT_TRANSACTION


# --- what is sent --------------------------------------------------------------------------------


async def test_the_key_goes_into_the_authorization_header(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(GOOD)
    await transport.request(op.GET_BALANCE)
    assert scripted.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_the_program_names_itself(scripted: Scripted, transport: Transport) -> None:
    scripted.will(GOOD)
    await transport.request(op.GET_BALANCE)
    assert scripted.requests[0].headers["user-agent"].startswith("telnyx-account-mcp/")


async def test_the_payment_goes_to_the_path_without_a_doubled_version(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(GOOD)
    await transport.request(PAYMENT, body={"amount": "120.00"})
    (asked,) = scripted.requests
    assert (asked.method, asked.target) == ("POST", "/v2/payment/stored_payment_transactions")
    assert asked.body == b'{"amount":"120.00"}'


@pytest.mark.parametrize(
    ("id", "quoted"),
    [
        ("a/../b", "a%2F..%2Fb"),
        ("a?action=link", "a%3Faction%3Dlink"),
        ("a%2fb", "a%252fb"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
    ],
)
async def test_an_id_is_one_quoted_segment_of_the_path(
    scripted: Scripted, transport: Transport, id: str, quoted: str
) -> None:
    scripted.will(GOOD)
    await transport.request(op.GET_INVOICE, id=id)
    assert scripted.requests[0].target == f"/v2/invoices/{quoted}"


async def test_a_cookie_that_an_answer_sets_is_not_sent_back(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(answer(200, {"data": {}}, headers={"set-cookie": "session=1; Path=/"}))
    for _ in range(2):
        await transport.request(op.GET_BALANCE)
    assert "cookie" not in scripted.requests[1].headers


async def test_a_query_value_of_none_is_left_out(scripted: Scripted, transport: Transport) -> None:
    scripted.will(GOOD)
    await transport.request(op.LIST_INVOICES, query={"sort": None, "page[number]": 2})
    assert scripted.requests[0].target == "/v2/invoices?page%5Bnumber%5D=2"


async def test_without_a_key_nothing_is_sent(scripted: Scripted) -> None:
    scripted.will(GOOD)
    error = await failure_of(Transport(None, scripted.base_url), op.GET_BALANCE)
    assert error.failure is Failure.NO_KEY
    assert scripted.requests == []


@pytest.mark.parametrize("operation", [PAYMENT, op.UPDATE_AUTO_RECHARGE_PREFERENCES])
async def test_read_only_sends_nothing_that_changes_the_account(
    scripted: Scripted, operation: op.Operation
) -> None:
    scripted.will(GOOD)
    transport = Transport(SecretStr(KEY), scripted.base_url, read_only=True)
    error = await failure_of(transport, operation, body={})
    assert (error.failure, error.fate) == (Failure.READ_ONLY, Fate.NOT_SENT)
    assert scripted.requests == []


async def test_read_only_still_reads(scripted: Scripted) -> None:
    scripted.will(GOOD)
    transport = Transport(SecretStr(KEY), scripted.base_url, read_only=True)
    await transport.request(op.GET_BALANCE)
    await transport.aclose()
    assert len(scripted.requests) == 1


async def test_a_proxy_has_no_part_in_a_request_to_loopback(
    scripted: Scripted, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    scripted.will(GOOD)
    assert (await transport.request(op.GET_BALANCE)).body["data"]["balance"] == "300.00"


def test_a_transport_keeps_the_pace_it_was_given(time: Time) -> None:
    """It is the one that all copies share."""
    pacer = time.pacer()
    assert Transport(SecretStr(KEY), "http://127.0.0.1:9/v2", pacer=pacer).pacer is pacer


async def test_requests_share_a_connection(scripted: Scripted, transport: Transport) -> None:
    scripted.will(GOOD)
    for _ in range(3):
        await transport.request(op.GET_BALANCE)
    assert scripted.connections == 1


async def test_a_closed_transport_opens_again_with_the_next_request(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(GOOD)
    await transport.request(op.GET_BALANCE)
    await transport.aclose()
    await transport.request(op.GET_BALANCE)
    assert len(scripted.requests) == 2


# --- what an answer is taken for -----------------------------------------------------------------


@pytest.mark.parametrize(("headers", "sandbox"), [({}, False), ({SANDBOX_HEADER: "1"}, True)])
async def test_a_reply_says_whether_a_sandbox_gave_it(
    scripted: Scripted, transport: Transport, headers: dict[str, str], sandbox: bool
) -> None:
    scripted.will(answer(200, {"data": {}}, headers))
    assert (await transport.request(op.GET_BALANCE)).sandbox is sandbox


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (300, Failure.REDIRECT),
        (301, Failure.REDIRECT),
        (302, Failure.REDIRECT),
        (307, Failure.REDIRECT),
        (308, Failure.REDIRECT),
        (399, Failure.REDIRECT),
        (400, Failure.BAD_REQUEST),
        (401, Failure.UNAUTHORIZED),
        (402, Failure.UNEXPECTED_STATUS),
        (403, Failure.FORBIDDEN),
        (404, Failure.NO_SUCH_PATH),
        (408, Failure.TIMEOUT),
        (409, Failure.UNEXPECTED_STATUS),
        (418, Failure.UNEXPECTED_STATUS),
        (422, Failure.INVALID),
        (429, Failure.THROTTLED),
        (499, Failure.UNEXPECTED_STATUS),
        (500, Failure.SERVER_ERROR),
        (501, Failure.SERVER_ERROR),
        (502, Failure.SERVER_ERROR),
        (503, Failure.SERVER_ERROR),
        (504, Failure.SERVER_ERROR),
        (599, Failure.SERVER_ERROR),
    ],
)
async def test_the_status_decides_what_an_error_is(
    scripted: Scripted, transport: Transport, status: int, failure: Failure
) -> None:
    scripted.will(complaint(status))
    error = await failure_of(transport, op.GET_BALANCE)
    assert (error.failure, error.status) == (failure, status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Bad gateway</body></html>",
        b'{"errors": [{"code": "100',
        b"x" * 100_000,
        {"errors": None},
        {"errors": {"code": "10015"}},
        {"errors": [None, 5, "text", []]},
        {"errors": [{"code": 10015, "title": None, "detail": ["x"], "source": "y", "meta": 1}]},
        {"errors": [{"source": {"pointer": 5, "parameter": {}}}]},
        {"errors": [{"title": "x" * 100_000, "detail": "\x1b[2J\x00" * 9_000}] * 50},
        [],
        "text",
        None,
    ],
)
async def test_an_error_body_of_any_form_leaves_the_meaning_of_the_status(
    scripted: Scripted, transport: Transport, body: Any
) -> None:
    scripted.will(answer(422, body))
    error = await failure_of(transport, op.GET_BALANCE)
    assert (error.failure, error.status) == (Failure.INVALID, 422)
    assert len(str(error)) < 1500
    assert str(error).isprintable()


async def test_telnyx_own_429_is_distinguished_from_one_of_a_proxy(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(complaint(429, "10011"))
    assert (await failure_of(transport, op.GET_BALANCE)).failure is Failure.RATE_LIMITED


async def test_what_telnyx_complains_about_is_reported(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(complaint(422, "10027", title="Invalid amount", detail="Too small."))
    text = str(await failure_of(transport, op.GET_BALANCE))
    for part in ("HTTP 422", "Invalid amount", "Too small", "10027"):
        assert part in text


@pytest.mark.parametrize(
    ("operation", "source", "named"),
    [
        (op.LIST_INVOICES, {"parameter": "page[size]"}, "page_size"),
        (op.LIST_INVOICES, {"parameter": "page[number]"}, "page"),
        (op.GET_INVOICE, {"parameter": "id"}, "invoice_id"),
        (op.GET_CHARGES_SUMMARY, {"parameter": "start_date"}, "start_date"),
        (op.LIST_AUDIT_EVENTS, {"parameter": "filter[created_after]"}, "created_after"),
        (op.SEARCH_DETAIL_RECORDS, {"parameter": "filter[record_type]"}, "record_type"),
        (op.SEARCH_DETAIL_RECORDS, {"parameter": "filter[carrier]"}, "filters"),
        (op.SEARCH_DETAIL_RECORDS, {"parameter": "filter[cost][gte]"}, "filters"),
        (op.LIST_WEBHOOK_DELIVERIES, {"parameter": "filter[status][eq]"}, "status"),
        (op.LIST_WEBHOOK_DELIVERIES, {"parameter": "filter[started_at][gte]"}, "started_after"),
        (op.GET_WEBHOOK_DELIVERY, {"parameter": "id"}, "delivery_id"),
        (op.LIST_USER_TAGS, {"parameter": "filter[starts_with]"}, "starts_with"),
        (PAYMENT, {"pointer": "/amount"}, "amount"),
        (PAYMENT, {"pointer": "/"}, "amount"),
        (op.UPDATE_AUTO_RECHARGE_PREFERENCES, {"pointer": "/threshold_amount"}, "threshold_amount"),
    ],
)
async def test_the_argument_complained_about_is_named_as_in_the_tool(
    scripted: Scripted,
    transport: Transport,
    operation: op.Operation,
    source: dict[str, str],
    named: str,
) -> None:
    scripted.will(complaint(422, source=source))
    error = await failure_of(transport, operation, id="x", body=None)
    assert error.complaints[0].parameter == named
    assert f"`{named}`" in str(error)


@pytest.mark.parametrize(
    ("told", "failure"),
    [
        (answer(200), Failure.NOT_JSON),
        (answer(200, b"   "), Failure.NOT_JSON),
        (answer(204), Failure.NOT_JSON),
        (answer(200, b"<!doctype html><html></html>"), Failure.NOT_JSON),
        (answer(200, b'{"data": {"balance": "300.'), Failure.NOT_JSON),
        (answer(200, b'{"data": NaN}'), Failure.NOT_JSON),
        (answer(200, b'{"data": "\xff\xfe"}'), Failure.NOT_JSON),
        (answer(200, b"[" * 100_000), Failure.NOT_JSON),
        (answer(200, b"not gzip", {"content-encoding": "gzip"}), Failure.NOT_JSON),
        (raw(b"this is no HTTP\r\n\r\n"), Failure.RESET),
        (hang_up(), Failure.RESET),
        (hang_up(b"HTTP/1.1 200 OK\r\ncontent-le"), Failure.RESET),
        (hang_up(b'HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"data": {'), Failure.RESET),
        (
            hang_up(b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"dat'),
            Failure.RESET,
        ),
    ],
)
async def test_an_answer_that_cannot_be_read_is_a_failure_of_its_own(
    scripted: Scripted, transport: Transport, told: Answer, failure: Failure
) -> None:
    scripted.will(told)
    assert (await failure_of(transport, op.GET_BALANCE)).failure is failure


async def test_an_empty_answer_is_called_empty(scripted: Scripted, transport: Transport) -> None:
    scripted.will(answer(204))
    assert "empty" in str(await failure_of(transport, op.GET_BALANCE))


async def test_a_body_of_more_than_16_mb_is_not_read_to_its_end(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(drip(b" " * (LARGEST_REPLY // 8), every=0))
    error = await failure_of(transport, op.GET_BALANCE)
    assert error.failure is Failure.TOO_LARGE
    assert len(scripted.requests) == 1


async def test_answers_that_are_not_read_to_their_end_use_up_no_connections(
    scripted: Scripted, transport: Transport
) -> None:
    unreadable = answer(200, {"data": {}}, headers={"content-encoding": "br"})
    scripted.will(*MOST_CONNECTIONS * [unreadable], GOOD)
    for _ in range(MOST_CONNECTIONS):
        assert (await failure_of(transport, op.GET_BALANCE)).failure is Failure.ENCODED
    await transport.request(op.GET_BALANCE, deadline=Deadline.after(5))


async def test_a_redirect_is_not_followed(scripted: Scripted, transport: Transport) -> None:
    scripted.will(answer(302, headers={"location": f"{scripted.base_url}/elsewhere"}), GOOD)
    await failure_of(transport, op.GET_BALANCE)
    assert [asked.target for asked in scripted.requests] == ["/v2/balance"]


@pytest.mark.parametrize("told", [silence, drip(), drip(b"")])
async def test_the_deadline_ends_an_answer_that_never_ends(
    scripted: Scripted, transport: Transport, told: Answer
) -> None:
    scripted.will(told)
    error = await failure_of(transport, op.GET_BALANCE, deadline=Deadline.after(0.2))
    assert error.failure is Failure.TIMEOUT


async def test_the_key_is_in_no_error(scripted: Scripted, transport: Transport) -> None:
    scripted.will(complaint(401, detail="No such key."))
    error = await failure_of(transport, op.GET_BALANCE)
    assert KEY not in f"{error}{error!r}{error.__context__!r}"


# --- no connection -------------------------------------------------------------------------------


def closed_port() -> int:
    """A port of loopback that nothing listens on."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("address", "failure"),
    [
        ("http://127.0.0.1:{closed}/v2", Failure.CONNECT),
        ("https://telnyx.invalid/v2", Failure.DNS),
        ("https://127.0.0.1:{plain}/v2", Failure.TLS),
        ("https://999.1.1.1/v2", Failure.ENVIRONMENT),
        ("https://xn--/v2", Failure.ENVIRONMENT),
        ("https://telnyx.invalid/\x01/v2", Failure.ENVIRONMENT),
    ],
)
@pytest.mark.parametrize("operation", [PAYMENT, op.UPDATE_AUTO_RECHARGE_PREFERENCES])
async def test_a_change_that_found_no_connection_was_not_sent(
    scripted: Scripted, time: Time, address: str, failure: Failure, operation: op.Operation
) -> None:
    plain = scripted.base_url.split(":")[2].split("/")[0]
    transport = Transport(
        SecretStr(KEY),
        address.format(closed=closed_port(), plain=plain),
        clock=time.clock,
        sleep=time.sleep,
    )
    error = await failure_of(transport, operation, body={"amount": "120.00"})
    await transport.aclose()
    assert (error.failure, error.fate) == (failure, Fate.NOT_SENT)
    assert scripted.requests == []


@contextmanager
def port_that_accepts_nobody() -> Iterator[int]:
    """A port whose queue of waiting connections is full."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        try:
            yield listening.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems queue without a limit")
async def test_a_payment_that_waits_for_a_connection_until_the_deadline_was_not_sent() -> None:
    with port_that_accepts_nobody() as port:
        transport = Transport(SecretStr(KEY), f"http://127.0.0.1:{port}/v2")
        error = await failure_of(transport, PAYMENT, body={}, deadline=Deadline.after(0.3))
        await transport.aclose()
    assert error.failure in (Failure.CONNECT_TIMEOUT, Failure.TIMEOUT)
    assert error.fate is Fate.NOT_SENT


# --- what is known of a change -------------------------------------------------------------------


@pytest.mark.parametrize("operation", [PAYMENT, op.UPDATE_AUTO_RECHARGE_PREFERENCES])
@pytest.mark.parametrize(
    ("told", "fate"),
    [
        (complaint(400), Fate.REFUSED),
        (complaint(401), Fate.REFUSED),
        (complaint(403), Fate.REFUSED),
        (complaint(404), Fate.REFUSED),
        (complaint(422), Fate.REFUSED),
        (complaint(429, "10011"), Fate.REFUSED),
        (complaint(429), Fate.UNKNOWN),
        (answer(429, b"slow down"), Fate.UNKNOWN),
        (complaint(408), Fate.UNKNOWN),
        (complaint(409), Fate.UNKNOWN),
        (complaint(500), Fate.UNKNOWN),
        (complaint(502), Fate.UNKNOWN),
        (complaint(503), Fate.UNKNOWN),
        (complaint(504), Fate.UNKNOWN),
        (answer(302, headers={"location": "/"}), Fate.UNKNOWN),
        (answer(200), Fate.UNKNOWN),
        (answer(200, b"<html>"), Fate.UNKNOWN),
        (answer(200, b'{"data": {"id"'), Fate.UNKNOWN),
        (hang_up(), Fate.UNKNOWN),
        (hang_up(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"), Fate.UNKNOWN),
        (raw(b"this is no HTTP\r\n\r\n"), Fate.UNKNOWN),
    ],
)
async def test_an_answer_states_the_outcome_of_a_change(
    scripted: Scripted, transport: Transport, operation: op.Operation, told: Answer, fate: Fate
) -> None:
    scripted.will(told)
    error = await failure_of(transport, operation, body={"amount": "120.00"})
    assert error.fate is fate


@pytest.mark.parametrize("told", [silence, drip()])
async def test_a_payment_without_an_answer_by_the_deadline_is_unknown(
    scripted: Scripted, transport: Transport, told: Answer
) -> None:
    scripted.will(told)
    error = await failure_of(
        transport, PAYMENT, body={"amount": "120.00"}, deadline=Deadline.after(0.2)
    )
    assert (error.failure, error.fate) == (Failure.TIMEOUT, Fate.UNKNOWN)
    assert len(scripted.requests) == 1


async def test_a_payment_on_a_connection_that_died_while_idle_is_unknown(
    scripted: Scripted, transport: Transport
) -> None:
    """It may have died after the first byte: nothing says otherwise."""
    scripted.will(GOOD, hang_up())
    await transport.request(op.GET_BALANCE)
    error = await failure_of(transport, PAYMENT, body={"amount": "120.00"})
    assert (error.failure, error.fate) == (Failure.RESET, Fate.UNKNOWN)
