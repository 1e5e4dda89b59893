"""The operations: what each asks, and what it makes of an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from pydantic import BaseModel

from telnyx_mcp.telnyx import account_models, models
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, Fate, TelnyxError
from telnyx_mcp.telnyx.odd_values import describe
from telnyx_mcp.telnyx.transport import SANDBOX_HEADER, Transport
from tests.support.scripted_telnyx import Scripted, answer, complaint
from tests.support.simulated_time import Time

ID = "48eff763-ea80-4345-b688-78249eb165a8"
MOMENT = datetime(2026, 5, 1, tzinfo=UTC)
DAY, NEXT = date(2026, 5, 1), date(2026, 6, 1)
Ask = Callable[[TelnyxClient], Awaitable[Any]]
PAGE = LARGE_PAGE = "page[number]=1&page[size]=250"
RECORDS_PAGE = "page[number]=1&page[size]=50"
"""The largest pages that Telnyx allows: its own default of 20 loses rows silently."""
SLIM = "include_connection=true&include_tags=true"

ONE: dict[str, tuple[Ask, str]] = {
    "balance": (lambda c: c.get_balance(), "GET /balance"),
    "breakdown": (
        lambda c: c.get_charges_breakdown(DAY, NEXT),
        "GET /charges_breakdown?start_date=2026-05-01&end_date=2026-06-01",
    ),
    "breakdown of a month": (
        lambda c: c.get_charges_breakdown(DAY),
        "GET /charges_breakdown?start_date=2026-05-01",
    ),
    "summary": (
        lambda c: c.get_charges_summary(DAY, NEXT),
        "GET /charges_summary?start_date=2026-05-01&end_date=2026-06-01",
    ),
    "invoice": (lambda c: c.get_invoice(ID), f"GET /invoices/{ID}?action=json"),
    "invoice with its link": (
        lambda c: c.get_invoice(ID, include_download_link=True),
        f"GET /invoices/{ID}?action=link",
    ),
    "preferences": (
        lambda c: c.get_auto_recharge_preferences(),
        "GET /payment/auto_recharge_prefs",
    ),
    "new preferences": (
        lambda c: c.update_auto_recharge_preferences({"enabled": True}),
        "PATCH /payment/auto_recharge_prefs",
    ),
    "tags": (lambda c: c.list_user_tags(), "GET /user_tags"),
    "some tags": (lambda c: c.list_user_tags("a&b"), "GET /user_tags?filter[starts_with]=a&b"),
    "payment": (
        lambda c: c.create_stored_payment_transaction("120.00"),
        "POST /payment/stored_payment_transactions",
    ),
    "session": (
        lambda c: c.get_session_analysis("call-session", ID),
        f"GET /session_analysis/call-session/{ID}?max_depth=5&expand=none",
    ),
    "session of a day": (
        lambda c: c.get_session_analysis("tts", ID, date=DAY, max_depth=2, expand="record"),
        f"GET /session_analysis/tts/{ID}?max_depth=2&expand=record&date_time=2026-05-01",
    ),
    "delivery": (lambda c: c.get_webhook_delivery(ID), f"GET /webhook_deliveries/{ID}"),
}
LISTS: dict[str, tuple[Ask, str]] = {
    "audit events": (lambda c: c.list_audit_events(), f"GET /audit_events?{PAGE}"),
    "some audit events": (
        lambda c: c.list_audit_events(
            created_after=MOMENT, created_before=MOMENT, sort="asc", page=3, page_size=7
        ),
        "GET /audit_events?filter[created_after]=2026-05-01T00:00:00Z"
        "&filter[created_before]=2026-05-01T00:00:00Z&sort=asc&page[number]=3&page[size]=7",
    ),
    "records": (
        lambda c: c.search_detail_records("messaging"),
        f"GET /detail_records?filter[record_type]=messaging&{RECORDS_PAGE}",
    ),
    "some records": (
        lambda c: c.search_detail_records(
            "messaging",
            date_range="last_month",
            filters={"filter[cost][gte]": "0.01"},
            sort=["-created_at", "cost"],
        ),
        "GET /detail_records?filter[record_type]=messaging&filter[date_range]=last_month"
        f"&filter[cost][gte]=0.01&sort=-created_at,cost&{RECORDS_PAGE}",
    ),
    "invoices": (
        lambda c: c.list_invoices(sort="-period_start"),
        f"GET /invoices?sort=-period_start&{PAGE}",
    ),
    "deliveries": (lambda c: c.list_webhook_deliveries(), f"GET /webhook_deliveries?{PAGE}"),
    "some deliveries": (
        lambda c: c.list_webhook_deliveries(
            status="failed",
            event_types=["a", "b"],
            webhook_contains="x",
            attempts_contains="y",
            started_after=MOMENT,
            started_before=MOMENT,
            finished_after=MOMENT,
            finished_before=MOMENT,
        ),
        "GET /webhook_deliveries?filter[status][eq]=failed&filter[event_type]=a,b"
        "&filter[webhook][contains]=x&filter[attempts][contains]=y"
        "&filter[started_at][gte]=2026-05-01T00:00:00Z"
        "&filter[started_at][lte]=2026-05-01T00:00:00Z"
        "&filter[finished_at][gte]=2026-05-01T00:00:00Z"
        f"&filter[finished_at][lte]=2026-05-01T00:00:00Z&{PAGE}",
    ),
}
LISTS |= {
    "users": (
        lambda c: c.list_organization_users(),
        "GET /organizations/users?page[number]=1&page[size]=250",
    ),
    "some users": (
        lambda c: c.list_organization_users(email="marco", page=2, page_size=9),
        "GET /organizations/users?filter[email]=marco&page[number]=2&page[size]=9",
    ),
    "numbers": (
        lambda c: c.list_phone_numbers(),
        f"GET /phone_numbers/slim?{SLIM}&{LARGE_PAGE}",
    ),
    "some numbers": (
        lambda c: c.list_phone_numbers(
            phone_number="+1 (312) 555-0100",
            status="active",
            country="us",
            connection_id="7",
            billing_group_id="null",
            tag="support",
            customer_reference="NWP-1",
            number_type="toll_free",
            sort="phone_number",
        ),
        "GET /phone_numbers/slim?filter[phone_number]=13125550100&filter[status]=active"
        "&filter[country_iso_alpha2]=US&filter[connection_id]=7&filter[billing_group_id]=null"
        "&filter[tag]=support&filter[customer_reference]=NWP-1&filter[number_type][eq]=toll_free"
        f"&{SLIM}&sort=phone_number&{LARGE_PAGE}",
    ),
    "numbers without tags": (
        lambda c: c.list_phone_numbers(without_tags=True),
        f"GET /phone_numbers?filter[without_tags]=true&{LARGE_PAGE}",
    ),
    "numbers with and without tags": (
        lambda c: c.list_phone_numbers(without_tags=False),
        f"GET /phone_numbers/slim?{SLIM}&{LARGE_PAGE}",
    ),
    "detailed numbers": (
        lambda c: c.list_phone_numbers(detailed=True),
        f"GET /phone_numbers?{LARGE_PAGE}",
    ),
    "numbers that are ported in": (
        lambda c: c.list_phone_numbers(status="port-pending"),
        f"GET /phone_numbers?filter[status]=port-pending&{LARGE_PAGE}",
    ),
    "profiles": (
        lambda c: c.list_messaging_profiles(name_contains="codes"),
        f"GET /messaging_profiles?filter[name][contains]=codes&{LARGE_PAGE}",
    ),
    "connections": (
        lambda c: c.list_connections(name_contains="desk", sort="active"),
        f"GET /connections?filter[connection_name][contains]=desk&sort=active&{LARGE_PAGE}",
    ),
    "spend limits": (lambda c: c.list_spend_limits(), "GET /spend_limits"),
    "notification channels": (
        lambda c: c.list_notification_channels(),
        f"GET /notification_channels?{LARGE_PAGE}",
    ),
    "notification conditions": (
        lambda c: c.list_notification_event_conditions(),
        f"GET /notification_event_conditions?{LARGE_PAGE}",
    ),
    "notification events": (
        lambda c: c.list_notification_events(),
        f"GET /notification_events?{LARGE_PAGE}",
    ),
    "notification profiles": (
        lambda c: c.list_notification_profiles(),
        f"GET /notification_profiles?{LARGE_PAGE}",
    ),
    "notification settings": (
        lambda c: c.list_notification_settings(),
        f"GET /notification_settings?{LARGE_PAGE}",
    ),
    "billing groups": (lambda c: c.list_billing_groups(), f"GET /billing_groups?{LARGE_PAGE}"),
}


def table(rows: dict[str, tuple[Ask, str]]) -> list[Any]:
    return [pytest.param(*row, id=name) for name, row in rows.items()]


@pytest.mark.parametrize(("ask", "wire"), table(ONE) + table(LISTS))
async def test_an_operation_asks_what_telnyx_documents(
    scripted: Scripted, client: TelnyxClient, ask: Ask, wire: str
) -> None:
    scripted.will_answer({"data": [] if (ask, wire) in LISTS.values() else {}, "root": {}})
    await ask(client)
    (asked,) = scripted.requests
    assert f"{asked.method} {unquote(asked.target.removeprefix('/v2'))}" == wire


@pytest.mark.parametrize(("ask", "_wire"), table(ONE) + table(LISTS))
async def test_an_answer_of_another_form_is_an_error(
    scripted: Scripted, client: TelnyxClient, ask: Ask, _wire: str
) -> None:
    bodies = [
        {},
        {"data": None, "root": None},
        {"data": "text", "root": "text"},
        {"data": "text"},
        {"data": 5},
        [],
        "text",
        {"errors": []},
    ]
    scripted.will(*(answer(200, body) for body in bodies))
    for _ in bodies:
        with pytest.raises(TelnyxError) as caught:
            await ask(client)
        assert caught.value.failure is Failure.WRONG_SHAPE
        assert caught.value.fate is Fate.UNKNOWN


@pytest.mark.parametrize(("ask", "_wire"), table(LISTS))
async def test_anything_but_a_list_of_objects_is_an_error_or_an_empty_row(
    scripted: Scripted, client: TelnyxClient, ask: Ask, _wire: str
) -> None:
    data: list[Any] = [{}, {"0": {}}, ["text"], [None], [[]]]
    scripted.will(*(answer(200, {"data": each}) for each in data))
    for _ in data[:2]:
        with pytest.raises(TelnyxError) as caught:
            await ask(client)
        assert caught.value.failure is Failure.WRONG_SHAPE
    for _ in data[2:]:
        read = await ask(client)
        assert len(read if isinstance(read, list) else read.items) == 1
    assert [each.value for each in client.odd_values] == ["text", None, []]


async def test_a_field_of_another_form_is_kept_and_named_without_a_secret_in_it(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer({"data": {"balance": {"secret": "hunter2"}, "currency": "USD"}})
    assert (await client.get_balance()).currency == "USD"
    assert "`" not in (named := describe(client.odd_values))
    assert "balance" in named
    assert "hunter2" not in named


async def test_the_answer_to_a_change_is_read_strictly(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer({"data": {"id": "x", "amount_cents": "many"}})
    with pytest.raises(TelnyxError) as caught:
        await client.create_stored_payment_transaction("20.00")
    assert caught.value.failure is Failure.WRONG_SHAPE
    assert caught.value.fate is Fate.UNKNOWN


MODELS: list[type[BaseModel]] = [
    models.Balance,
    models.AuditChange,
    models.AuditEvent,
    models.ServiceCost,
    models.NumberCharges,
    models.ChargesBreakdown,
    models.MonthDetail,
    models.SummaryLine,
    models.Adjustment,
    models.SummaryBody,
    models.SummaryTotal,
    models.ChargesSummary,
    models.Invoice,
    models.AutoRechargePreferences,
    models.UsageReportOptions,
    models.UserTags,
    models.StoredPaymentTransaction,
    models.HttpRequest,
    models.HttpResponse,
    models.HttpExchange,
    models.DeliveryAttempt,
    models.WebhookEvent,
    models.WebhookDelivery,
    models.PageMeta,
    account_models.UserGroup,
    account_models.OrganizationUser,
    account_models.PhoneNumber,
    account_models.MessagingProfile,
    account_models.Connection,
    account_models.BillingGroup,
    account_models.SpendLimitSetting,
    account_models.SpendLimitBlock,
    account_models.SpendLimit,
    account_models.NotificationEvent,
    account_models.NotificationEventCondition,
    account_models.NotificationProfile,
    account_models.NotificationChannel,
    account_models.NotificationParameter,
    account_models.NotificationSetting,
    account_models.SessionEventCost,
    account_models.SessionEvent,
    account_models.SessionCost,
    account_models.SessionMeta,
    account_models.SessionAnalysis,
]
BASES = {models.ApiModel, account_models.AccountModel}


@pytest.mark.parametrize("model", MODELS)
def test_every_field_may_be_null(model: type[BaseModel]) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    read = model.model_validate(dict.fromkeys(names))
    assert all(value is None for value in read.model_dump().values())


@pytest.mark.parametrize("model", MODELS)
def test_every_field_may_be_absent(model: type[BaseModel]) -> None:
    assert all(value is None for value in model.model_validate({}).model_dump().values())


@pytest.mark.parametrize("model", MODELS)
def test_unknown_fields_are_kept(model: type[BaseModel]) -> None:
    read = model.model_validate({"x_new_field": {"nested": [1, None]}})
    assert read.model_dump()["x_new_field"] == {"nested": [1, None]}


def test_every_answer_has_a_model_that_is_tested() -> None:
    written = {
        each
        for module in (models, account_models)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, models.ApiModel)
    }
    assert written - BASES == set(MODELS)


@pytest.mark.parametrize("amount", ["300.00", "0.003", "0.06000", "-5.00", "0", "1e3", "n/a"])
async def test_an_amount_is_returned_as_it_came(
    scripted: Scripted, client: TelnyxClient, amount: str
) -> None:
    scripted.will_answer({"data": {"balance": amount}})
    assert (await client.get_balance()).balance == amount


async def test_an_amount_sent_as_a_number_is_taken(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer({"data": {"balance": 12}})
    assert (await client.get_balance()).balance == "12"


async def test_the_client_knows_a_sandbox_when_it_has_answered(
    scripted: Scripted, client: TelnyxClient
) -> None:
    assert client.sandbox is False
    scripted.will_answer({"data": {}}, headers={SANDBOX_HEADER: "1"})
    await client.get_balance()
    assert client.sandbox is True


async def test_a_client_remembers_its_own_answers_and_those_to_clients_with_less_time(
    scripted: Scripted, transport: Transport, client: TelnyxClient
) -> None:
    """What a request for a change learns in its own time counts for the call."""
    date = "Fri, 05 Jun 2026 10:20:30 GMT"
    scripted.will_answer({"data": {}}, headers={SANDBOX_HEADER: "1", "date": date})
    within = client.within(5)
    await within.within(4).get_balance()
    assert within.sandbox is client.sandbox is True
    assert within.date == client.date == datetime(2026, 6, 5, 10, 20, 30, tzinfo=UTC)
    another = TelnyxClient(transport)
    assert another.sandbox is False, "another call that was not answered yet"
    assert another.date is None


async def test_two_calls_at_once_on_one_transport_keep_their_answers_apart(
    scripted: Scripted, transport: Transport
) -> None:
    one, other = TelnyxClient(transport), TelnyxClient(transport)
    scripted.will(
        answer(200, {"data": {}}, {SANDBOX_HEADER: "1"}), answer(200, {"data": {"data": []}})
    )
    await one.get_balance()
    await other.list_user_tags()
    assert (one.sandbox, other.sandbox) == (True, False)


async def test_all_requests_of_a_client_with_a_deadline_share_its_seconds(
    scripted: Scripted, client: TelnyxClient, time: Time
) -> None:
    scripted.will_answer({"data": {}})
    within = client.within(5)
    time.at += 4.9
    await within.get_balance()
    time.at += 0.2
    with pytest.raises(TelnyxError):
        await within.get_balance()
    assert len(scripted.requests) == 1
    await client.get_balance()  # which has a deadline for each request
    assert len(scripted.requests) == 2


async def test_a_forbidden_payment_points_to_the_stored_payment_method(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will(complaint(403))
    with pytest.raises(TelnyxError, match="payment method is stored"):
        await client.create_stored_payment_transaction("120.00")


# --- lists ---------------------------------------------------------------------------------------

FULL = [{"invoice_id": str(number)} for number in range(20)]


@pytest.mark.parametrize(
    ("items", "meta", "has_more"),
    [
        (FULL, {"total_pages": 3}, True),
        (FULL, {"total_pages": 1}, False),
        (FULL[:3], {"total_pages": 3}, True),
        (FULL, {}, True),
        (FULL[:19], {}, False),
        (FULL, None, True),
        (FULL, "text", True),
        ([], {"total_pages": 3}, False),
        ([], None, False),
        (FULL, {"page_number": 1, "total_pages": None, "total_results": None}, True),
    ],
)
async def test_a_page_knows_whether_another_is_worth_asking_for(
    scripted: Scripted, client: TelnyxClient, items: list[Any], meta: Any, has_more: bool
) -> None:
    body = {"data": items} if meta is None else {"data": items, "meta": meta}
    scripted.will_answer(body)
    assert (await client.list_invoices(page_size=20)).has_more is has_more


async def test_a_page_has_the_number_asked_for_whatever_the_answer_claims(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer({"data": FULL, "meta": {"page_number": 1, "total_pages": 9}})
    assert (await client.list_invoices(page=4)).number == 4


@pytest.mark.parametrize("odd", ["..", ".", "../balance", "a/b", "a?b=c", "a#b", "%2e%2e", "é ü"])
async def test_an_id_stays_one_part_of_the_path(
    scripted: Scripted, client: TelnyxClient, odd: str
) -> None:
    scripted.will_answer({"data": {}, "root": {}})
    await client.get_session_analysis(odd, odd)
    await client.get_invoice(odd)
    session, invoice = (unquote(each.target.partition("?")[0]) for each in scripted.requests)
    assert session == f"/v2/session_analysis/{odd}/{odd}"
    assert invoice == f"/v2/invoices/{odd}"
    paths = [each.target.partition("?")[0].split("/") for each in scripted.requests]
    assert [len(each) for each in paths] == [5, 4]


async def test_events_of_two_types_with_one_id_are_two_requests(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer({"root": {}})
    async with anyio.create_task_group() as group:
        for record_type in ("call-control", "call-session"):
            group.start_soon(client.get_session_analysis, record_type, ID)
    assert len(scripted.requests) == 2


async def test_an_error_is_reported_whatever_its_shape(
    scripted: Scripted, client: TelnyxClient
) -> None:
    """Billing groups have integer codes, session analysis a message in the place of a title."""
    entries = [{"code": 10015, "title": "Bad page"}, {"code": "10005", "message": "No such event"}]
    scripted.will(*(answer(400, {"errors": [entry]}) for entry in entries))
    with pytest.raises(TelnyxError, match=r"Bad page \(code 10015\)"):
        await client.list_billing_groups()
    with pytest.raises(TelnyxError, match=r"No such event \(code 10005\)"):
        await client.get_session_analysis("tts", ID)


async def test_a_429_with_an_integer_code_is_telnyx_own(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will(answer(429, {"errors": [{"code": 10011, "title": "Too many"}]}))
    with pytest.raises(TelnyxError) as caught:
        await client.list_billing_groups()
    assert caught.value.failure is Failure.RATE_LIMITED
