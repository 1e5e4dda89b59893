"""Headers of answers that say other than what Telnyx does, met by a real server.

`tests/telnyx/test_pace_in_simulated_time.py` tries many more of them, at length, in simulated time.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.mcp_host import Host, hosted, text_of

pytestmark = pytest.mark.faults

ENOUGH = 20
"""Reads in a while, where Telnyx really allows any number."""
HOUR, DAY = "3600", "86400"


def limit(limit: str, remaining: str, reset: str | None = None) -> dict[str, str]:
    told = {"x-ratelimit-limit": limit, "x-ratelimit-remaining": remaining}
    return told if reset is None else told | {"x-ratelimit-reset": reset}


LIES = {
    "none left, ever": limit("200", "0", "10"),
    "none left for a day": limit("200", "0", DAY),
    "a limit of nothing": limit("0", "0", "1"),
    "more left than the limit": limit("10", "999999999"),
    "below zero": limit("-1", "-1", "-1"),
    "no numbers": limit("many", "NaN", "soon"),
    "retry after a day, on a good answer": {"retry-after": DAY},
}


async def waiting(host: Host) -> float:
    """The longest wait for a turn that the server knows of, in seconds."""
    told = await host.ask_beside("resources/read", {"uri": "telnyx://rate-limits"})
    endpoints: list[dict[str, Any]] = json.loads(told["contents"][0]["text"])["endpoints"]
    return max((float(each["waiting_s"]) for each in endpoints), default=0.0)


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.fault(
    "headers that lie on every answer: nothing left, limits of nothing, a reset in a day, nonsense",
    "never closed for more than 60 s",
)
async def test_headers_that_lie_close_for_a_minute_at_most(
    environment: dict[str, str], sandbox: Sandbox, lie: str
) -> None:
    sandbox.fault("get_balance", "slow", seconds=0, headers=LIES[lie], times=None)
    async with hosted(environment) as host:
        for _ in range(3):
            await host.call("telnyx_get_balance")
            assert await waiting(host) <= 60


@pytest.mark.parametrize("after", [HOUR, DAY, "99999999999"])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.fault(
    "one answer of a proxy says to come back in an hour, a day or longer",
    "closed for 60 s at most, and reads of other kinds go on",
)
async def test_one_word_of_a_proxy_closes_for_a_minute_at_most(
    environment: dict[str, str], sandbox: Sandbox, status: int, after: str
) -> None:
    sandbox.fault("get_balance", "html", status=status, headers={"retry-after": after})
    async with hosted(environment) as host:
        begins = time.monotonic()
        told = await host.call("telnyx_get_balance")
        assert time.monotonic() - begins < 40, text_of(told)
        assert await waiting(host) <= 60
        assert not (await host.call("telnyx_list_invoices"))["isError"]


@pytest.mark.fault(
    "a rate limit that differs in every answer",
    "at least a tenth of what is allowed is used",
)
async def test_a_limit_that_jumps_leaves_a_tenth_of_what_is_allowed(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    for number in range(ENOUGH):
        told = (1, 1000, 5, 200)[number % 4]
        headers = limit(str(told), str(told - 1), "1")
        sandbox.fault("get_balance", "slow", seconds=0, headers=headers)
    async with hosted(environment) as host:
        begins = time.monotonic()
        for _ in range(ENOUGH):
            assert not (await host.call("telnyx_get_balance"))["isError"]
        assert time.monotonic() - begins < 40
