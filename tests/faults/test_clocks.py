"""Clocks that are ahead, behind, slow, fast, or set while a payment is in flight, by libfaketime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.fake_clock import FakeClock
from tests.support.mcp_host import PAY, POST, hosted, state_of, text_of, told_truly
from tests.support.polling import until
from tests.support.sandbox_requests import posts

pytestmark = pytest.mark.faults

CLOCKS = pytest.mark.parametrize("monotonic", [False, True], ids=["wall clock", "both clocks"])
JUMPS = pytest.mark.parametrize("jump", ["+61s", "-61s", "+1h", "-1h", "+1d", "-1d", "+1y", "-1y"])


@CLOCKS
@pytest.mark.parametrize("rate", ["+0 x20", "+0 x0.05", "+1y x2", "-1y x0.5"])
@pytest.mark.fault(
    "a clock that is a year off, twenty times as fast or slow",
    "the payment is made once and reported",
)
async def test_a_payment_is_made_whatever_the_clock_does(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, rate: str, *, monotonic: bool
) -> None:
    if monotonic and "x0" in rate:
        pytest.skip("time-outs of a slow monotonic clock last as long as the clock says")
    clock = FakeClock(tmp_path, monotonic=monotonic)
    clock.set(rate)
    async with hosted(environment | clock.environment) as host:
        assert state_of(await host.pay()) == "succeeded"
        assert [each["state"] for each in await host.changes()] == ["succeeded"]
    assert len(sandbox.payments) == 1


@CLOCKS
@JUMPS
@pytest.mark.fault(
    "the clock is set while a payment is in flight",
    "the outcome is reported and recorded; nothing is sent again",
)
async def test_a_clock_that_is_set_while_a_payment_is_in_flight_changes_nothing(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, jump: str, *, monotonic: bool
) -> None:
    if monotonic:
        jump = {"+61s": "+5s", "-61s": "-5s"}.get(jump, "")
        if not jump:
            pytest.skip("beyond the call's deadline by every clock")
    clock = FakeClock(tmp_path, monotonic=monotonic)
    sandbox.fault(POST, "slow", seconds=1)
    async with hosted(environment | clock.environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        clock.set(jump)
        told = await pays
        assert state_of(told) == "succeeded", text_of(told)
        assert [each["state"] for each in await host.changes()] == ["succeeded"]
    assert len(sandbox.payments) == posts(sandbox) == 1


@JUMPS
@pytest.mark.fault(
    "one copy's clock is set while its payment is in flight, and others look at it",
    "they never call the living copy dead: no other payment is made, none is sent twice",
)
async def test_a_copy_whose_clock_is_off_is_not_called_dead_by_others(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, jump: str
) -> None:
    clock = FakeClock(tmp_path)
    sandbox.fault(POST, "slow", seconds=4)
    async with (
        hosted(environment | clock.environment) as sender,
        hosted(environment) as other,
    ):
        pays = sender.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        clock.set(jump)
        again = await other.pay("120.00")
        assert posts(sandbox) == 1, text_of(again)
        assert state_of(await pays) == "succeeded"
        assert [each["state"] for each in await other.changes()] == ["succeeded"]
    assert len(sandbox.payments) == 1


async def pays(environment: Mapping[str, str], amount: str) -> str | None:
    async with hosted(environment) as host:
        told = await host.pay(amount)
        return state_of(told) or text_of(told)


@pytest.mark.parametrize("offset", ["+1y", "+30d", "+1d", "+2h"])
@pytest.mark.fault(
    "a clock once ahead by hours, days or a year while a payment was made, then right again",
    "payments are not locked out; the one from the future counts against the cap of the day",
)
async def test_a_clock_that_was_once_ahead_locks_nobody_out(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, offset: str
) -> None:
    environment |= {"TELNYX_MCP_MAX_PER_DAY": "300"}
    clock = FakeClock(tmp_path)
    clock.set(offset)
    assert await pays(environment | clock.environment, "120.00") == "succeeded"
    assert await pays(environment, "100.00") == "succeeded"
    assert "Nothing was sent" in str(await pays(environment, "90.00"))
    assert len(sandbox.payments) == 2


@pytest.mark.parametrize("offset", ["-1y", "-1d", "-2h"])
@pytest.mark.fault(
    "a clock once behind by hours, days or a year while a payment was made, then right again",
    "the same payment is asked for again, and the caps that its moment falls into hold",
)
async def test_a_clock_that_was_once_behind_locks_nobody_out(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, offset: str
) -> None:
    clock = FakeClock(tmp_path)
    clock.set(offset)
    assert await pays(environment | clock.environment, "120.00") == "succeeded"
    assert await pays(environment, "100.00") == "succeeded"
    assert len(sandbox.payments) == 2


@CLOCKS
@JUMPS
@pytest.mark.fault("the clock is set while calls that read are in flight", "each is answered")
async def test_a_clock_that_is_set_leaves_no_call_unanswered(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, jump: str, *, monotonic: bool
) -> None:
    clock = FakeClock(tmp_path, monotonic=monotonic)
    sandbox.fault("*", "slow", seconds=1, times=5)
    async with hosted(environment | clock.environment) as host:
        reads = [host.begins("telnyx_list_invoices", page=n + 1) for n in range(5)]
        await until(lambda: sandbox.requests)
        clock.set(jump)
        for each in reads:
            await each
        assert not (await host.call("telnyx_get_balance"))["isError"]


@pytest.mark.fault(
    "a person answers after the clock went beyond the question's ten minutes",
    "the payment is not sent, and the error says so",
)
async def test_a_payment_approved_before_the_clock_was_set_is_reported_truly(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    clock = FakeClock(tmp_path)
    sandbox.fault("get_balance", "slow", seconds=1, skip=1)
    async with hosted(environment | clock.environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: sum(each.operation == "get_balance" for each in sandbox.requests) >= 2)
        clock.set("+1h")
        told = await pays
        assert posts(sandbox) == 0, text_of(told)
        assert "Done" not in text_of(told)
    assert await told_truly(environment, sandbox) != "succeeded"
