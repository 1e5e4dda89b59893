"""The operations: what each takes, refuses and answers, and a table of them all."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime, timedelta
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.call import (
    Call,
    Operation,
    meta_of,
    moment_of,
    one_of,
    page_asked_for,
    page_of,
)
from telnyx_mcp.sandbox.days import next_month_same_day, parse_moment
from telnyx_mcp.sandbox.neighbours import (
    limits,
    notifications,
    people,
    phone_numbers,
    resources,
    sessions,
)
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter, missing, not_found
from telnyx_mcp.sandbox.responses import Response
from telnyx_mcp.sandbox.usage.answers import as_csv, as_json

MAX_DAYS = timedelta(days=31)
LARGEST_RECORDS_PAGE = 50
LARGEST_REPORT_PAGE = 5000


def get_balance(account: Account, call: Call) -> Response:
    return Response({"data": account.balance_data()})


def list_audit_events(account: Account, call: Call) -> Response:
    after, before = (moment_of(call, f"filter[created_{side}]") for side in ("after", "before"))
    sort = one_of(call, "sort", ("asc", "desc")) or "desc"
    # Both ends exclusive: the documentation does not say, and the names say so.
    events = [
        event
        for event in account.audit_events
        if (after is None or parse_moment(event["created_at"]) > after)
        and (before is None or parse_moment(event["created_at"]) < before)
    ]
    return page_of(call, events if sort == "desc" else events[::-1], default=20)


def get_charges_breakdown(account: Account, call: Call) -> Response:
    start, end = _range(call, end_required=False)
    if one_of(call, "format", ("json", "csv")) == "csv":
        text = account.charges.breakdown_csv(start, end)
        return Response(encoded=text.encode(), media_type=b"text/csv; charset=utf-8")
    return Response({"data": account.charges.breakdown(start, end)})


def get_charges_summary(account: Account, call: Call) -> Response:
    start, end = _range(call, end_required=True)
    return Response({"data": account.charges.summary(start, end)})


def search_detail_records(account: Account, call: Call) -> Response:
    search = account.records.parse(call.query)
    number, size = page_asked_for(call, 20, LARGEST_RECORDS_PAGE)
    records, total = account.records.page(search, number, size)
    return Response({"data": records, "meta": meta_of(number, size, total)})


def get_usage_report_options(account: Account, call: Call) -> Response:
    return Response({"data": account.usage.options(call.get("product"))})


def get_usage_report(account: Account, call: Call) -> Response:
    number, size = page_asked_for(call, 20, LARGEST_REPORT_PAGE)
    request = account.usage.parse(call.query)
    form = one_of(call, "format", ("json", "csv"))
    rows = account.usage.rows(request)
    if form == "csv":
        text = as_csv(rows, request, account.business)
        return Response(encoded=text, media_type=b"text/csv; charset=utf-8")
    meta, page = meta_of(number, size, len(rows)), rows[(number - 1) * size : number * size]
    return Response({"data": page, "meta": meta}, encoded=as_json(page, meta))


def list_invoices(account: Account, call: Call) -> Response:
    sort = one_of(call, "sort", ("period_start", "-period_start")) or "-period_start"
    invoices = account.invoices.all
    return page_of(call, invoices if sort == "period_start" else invoices[::-1], default=20)


def get_invoice(account: Account, call: Call) -> Response:
    invoice = account.invoices.find(_uuid(call, 400))
    action = one_of(call, "action", ("json", "link"))
    if invoice is None:
        raise not_found("Invoice not found")
    if action == "link":
        invoice = {**invoice, "download_url": account.invoices.download_url(invoice)}
    return Response({"data": invoice})


def get_auto_recharge_preferences(account: Account, call: Call) -> Response:
    return Response({"data": account.preferences_data()})


def update_auto_recharge_preferences(account: Account, call: Call) -> Response:
    return Response({"data": account.change_preferences(call.json())})


def list_user_tags(account: Account, call: Call) -> Response:
    return Response({"data": account.user_tags(call.get("filter[starts_with]") or "")})


def create_stored_payment_transaction(account: Account, call: Call) -> Response:
    return Response({"data": account.pay(call.json())})


def list_webhook_deliveries(account: Account, call: Call) -> Response:
    status = one_of(call, "filter[status][eq]", ("delivered", "failed"), 422)
    event_types = {name.strip() for name in (call.get("filter[event_type]") or "").split(",")}
    texts = {part: call.get(f"filter[{part}][contains]") for part in ("webhook", "attempts")}
    spans = {
        field: tuple(moment_of(call, f"filter[{field}][{end}]", 422) for end in ("gte", "lte"))
        for field in ("started_at", "finished_at")
    }

    def wanted(delivery: dict[str, Any]) -> bool:
        return (
            status in {None, delivery["status"]}
            and bool(event_types & {"", delivery["webhook"]["event_type"]})
            and all(
                not text or text in json.dumps(delivery[part], ensure_ascii=False)
                for part, text in texts.items()
            )
            and all(_within(delivery[field], *span) for field, span in spans.items())
        )

    return page_of(call, [each for each in account.webhooks.all if wanted(each)], default=20)


def _within(text: str, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    moment = parse_moment(text)
    return (since is None or moment >= since) and (until is None or moment <= until)


def get_webhook_delivery(account: Account, call: Call) -> Response:
    delivery = account.webhooks.find(_uuid(call, 404))
    if delivery is None:
        raise not_found("WebhookDelivery not found")
    return Response({"data": delivery})


_RECHARGE = "/payment/auto_recharge_prefs"
_PAYMENT = "/payment/stored_payment_transactions"

OPERATIONS: tuple[Operation, ...] = (
    Operation("get_balance", "GET", "/balance", get_balance),
    Operation("list_audit_events", "GET", "/audit_events", list_audit_events),
    Operation("get_charges_breakdown", "GET", "/charges_breakdown", get_charges_breakdown),
    Operation("get_charges_summary", "GET", "/charges_summary", get_charges_summary),
    Operation("search_detail_records", "GET", "/detail_records", search_detail_records, True),
    Operation(
        "get_usage_report_options", "GET", "/usage_reports/options", get_usage_report_options
    ),
    Operation("get_usage_report", "GET", "/usage_reports", get_usage_report, True),
    Operation("list_invoices", "GET", "/invoices", list_invoices),
    Operation("get_invoice", "GET", "/invoices/{id}", get_invoice),
    Operation("get_auto_recharge_preferences", "GET", _RECHARGE, get_auto_recharge_preferences),
    Operation(
        "update_auto_recharge_preferences", "PATCH", _RECHARGE, update_auto_recharge_preferences
    ),
    Operation("list_user_tags", "GET", "/user_tags", list_user_tags),
    Operation(
        "create_stored_payment_transaction", "POST", _PAYMENT, create_stored_payment_transaction
    ),
    Operation(
        "list_webhook_deliveries", "GET", "/webhook_deliveries", list_webhook_deliveries, True
    ),
    Operation(
        "get_webhook_delivery", "GET", "/webhook_deliveries/{id}", get_webhook_delivery, True
    ),
    *people.OPERATIONS,
    *phone_numbers.OPERATIONS,
    *resources.OPERATIONS,
    *limits.OPERATIONS,
    *notifications.OPERATIONS,
    *sessions.OPERATIONS,
)


def _day(call: Call, name: str) -> date | None:
    text = call.get(name)
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        raise bad_parameter(name, f"'{name}' must be a date (YYYY-MM-DD).") from None


def _range(call: Call, *, end_required: bool) -> tuple[date, date]:
    start, end = _day(call, "start_date"), _day(call, "end_date")
    if start is None:
        raise missing("start_date")
    if end is None:
        if end_required:
            raise missing("end_date")
        end = next_month_same_day(start)
    if end <= start:
        raise bad_parameter("end_date", "'end_date' must be after 'start_date'.")
    if end - start > MAX_DAYS:
        raise bad_parameter("end_date", "The date range cannot exceed 31 days.")
    return start, end


def _uuid(call: Call, status: int) -> str:
    text = call.path["id"]
    try:
        return str(uuid.UUID(text))
    except ValueError:
        if status == 404:
            raise not_found() from None
        raise Refusal(400, f"'{text}' is not a valid UUID.", parameter="id") from None
