"""The client reads what the account says about its numbers, limits, notifications and sessions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.account_models import SessionEvent
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError

NOBODY = "48eff763-ea80-4345-b688-78249eb165a8"


@pytest.fixture
async def account(server: AccountServer) -> TelnyxClient:
    """The client of the sandbox account."""
    return TelnyxClient((await server.accounts.main.services()).transport)


async def test_a_number_is_found_in_any_spelling(account: TelnyxClient, sandbox: Sandbox) -> None:
    known = next(each for each in sandbox.account.numbers.all if each.active_on(sandbox.today))
    digits = known.phone_number[1:]
    for spelling in (
        known.phone_number,
        f"+1 ({digits[1:4]}) {digits[4:7]}-{digits[7:]}",
        f"{digits[1:4]}.{digits[4:7]}.{digits[7:]}",
        f" {digits[4:7]}\u00a0{digits[7:]} ",
    ):
        found = await account.list_phone_numbers(phone_number=spelling)
        assert known.id in {each.id for each in found.items}


async def test_slim_and_detailed_rows_say_the_same(account: TelnyxClient) -> None:
    slim = {each.id: each for each in (await account.list_phone_numbers()).items}
    full = {each.id: each for each in (await account.list_phone_numbers(detailed=True)).items}
    assert slim.keys() == full.keys()
    for field in ("phone_number", "tags", "connection_name", "billing_group_id", "purchased_at"):
        for number, row in slim.items():
            assert getattr(row, field) == getattr(full[number], field)
    assert not any(each.messaging_profile_id for each in slim.values())
    assert any(each.messaging_profile_name for each in full.values())


async def test_numbers_without_tags_are_found_in_the_list_that_can(account: TelnyxClient) -> None:
    found = await account.list_phone_numbers(without_tags=True)
    assert found.items
    assert all(each.tags == [] for each in found.items)


async def test_a_blocked_product_is_reported(account: TelnyxClient, sandbox: Sandbox) -> None:
    assert not any(each.blocked for each in await account.list_spend_limits())
    sandbox.block("inference")
    (blocked,) = [each for each in await account.list_spend_limits() if each.blocked]
    assert blocked.product == "inference"
    assert blocked.block is not None
    assert blocked.block.blocked_until == blocked.period_end
    assert blocked.limit is not None
    assert blocked.limit.amount == blocked.effective_limit_usd


async def test_the_recipients_of_the_low_credit_notice_come_from_five_lists(
    account: TelnyxClient,
) -> None:
    events = (await account.list_notification_events()).items
    conditions = (await account.list_notification_event_conditions()).items
    settings = (await account.list_notification_settings()).items
    channels = {each.id: each for each in (await account.list_notification_channels()).items}
    profiles = {each.id for each in (await account.list_notification_profiles()).items}
    (low,) = [each.id for each in events if each.name == "Low Available Credit"]
    (when,) = [each.id for each in conditions if each.notification_event_id == low]
    told = [each for each in settings if each.notification_event_condition_id == when]
    assert {each.notification_profile_id for each in told} <= profiles
    kinds = {
        channels[each.notification_channel_id].channel_type_id
        for each in told
        if each.status == "enabled"
    }
    assert kinds == {"email", "sms"}


async def test_a_session_costs_what_its_events_do(account: TelnyxClient) -> None:
    page = await account.search_detail_records("ai-voice-assistant")
    answer = await account.get_session_analysis("call-session", page.items[0]["call_session_id"])

    def costs(event: SessionEvent) -> list[Decimal]:
        assert event.cost is not None
        assert event.cost.event_cost is not None
        assert event.record == {}
        below = [cost for child in event.children or [] for cost in costs(child)]
        return [Decimal(event.cost.event_cost), *below]

    assert answer.root is not None
    assert answer.cost is not None
    assert answer.cost.total is not None
    assert answer.meta is not None
    assert len(costs(answer.root)) == answer.meta.event_count
    assert sum(costs(answer.root)) == Decimal(answer.cost.total) > 0


async def test_an_event_that_is_not_there_is_not_found(account: TelnyxClient) -> None:
    with pytest.raises(TelnyxError, match="Event not found") as caught:
        await account.get_session_analysis("call-session", NOBODY)
    assert caught.value.failure is Failure.NOT_FOUND
