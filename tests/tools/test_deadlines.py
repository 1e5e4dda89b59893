"""How long a call may take in all: 25 s, and 40 s where it may need many requests."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.operations import Operation
from telnyx_mcp.telnyx.transport import Response, Transport
from tests.support.client import call
from tests.support.clock import NOW
from tests.support.scripted_telnyx import KEY, Scripted
from tests.support.simulated_time import Time


class Timed(Transport):
    """A transport that notes the seconds each request has, and takes a second for each."""

    seconds: list[float]
    time: Time

    async def request(
        self, operation: Operation, *, deadline: Deadline | None = None, **more: Any
    ) -> Response:
        assert deadline
        self.seconds.append(deadline.left())
        response = await super().request(operation, deadline=deadline, **more)
        self.time.at += 1
        return response


@pytest.mark.parametrize(
    ("tool", "arguments", "seconds"),
    [
        ("telnyx_list_user_tags", {}, 25),
        ("telnyx_get_invoice", {"invoice_id": "6bf1b6ad-0df5-4a5b-9b9e-0a5f5b8d3f10"}, 25),
        ("telnyx_list_invoices", {"unpaid_only": True}, 40),
        ("telnyx_list_audit_events", {"contains": ["x"]}, 40),
        ("telnyx_list_webhook_deliveries", {"group_failures": True}, 40),
    ],
)
async def test_every_request_of_a_call_has_what_is_left_of_the_call(
    scripted: Scripted, tool: str, arguments: dict[str, Any], seconds: float
) -> None:
    time = Time()
    transport = Timed(SecretStr(KEY), scripted.base_url, clock=time.clock, sleep=time.sleep)
    transport.seconds, transport.time = [], time
    settings = Settings(api_key=SecretStr(KEY), base_url=scripted.base_url)
    server = build_server(settings, transport=transport, now=lambda: NOW)
    pages = {"page_number": 1, "total_pages": 3, "total_results": 6}
    scripted.will_answer({"data": [{"id": "1"}], "meta": pages})
    for _ in range(2):
        await call(server, tool, arguments)
    await server.accounts.aclose()
    taken = [round(seconds - each) for each in transport.seconds]
    assert taken[0] == 0
    of_one_call = len(taken) // 2
    assert taken[-1] < of_one_call, "the second call has its own seconds"
    assert max(taken) < of_one_call
    assert len(taken) > 2 or seconds == 25
