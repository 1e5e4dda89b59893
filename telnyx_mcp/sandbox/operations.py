"""The operations: what each takes, what it refuses, and what it answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.days import next_month_same_day, parse_moment
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter, missing, not_found
from telnyx_mcp.sandbox.replies import Reply
from telnyx_mcp.sandbox.usage.answers import as_csv, as_json

MOST_DAYS = timedelta(days=31)
LARGEST_PAGE = 250
LARGEST_RECORDS_PAGE = 50
LARGEST_REPORT_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Call:
    """A request to one operation."""

    query: list[tuple[str, str]]
    path: dict[str, str]
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """The parameter's last value, as servers read a repeated one."""
        for known, value in reversed(self.query):
            if known == name:
                return value
        return None

    def json(self) -> Any:
        """The body, decoded; 400 when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refusal(400, "The request body is not valid JSON.", pointer="/") from None


Handler = Callable[[Account, Call], Reply]


def get_balance(account: Account, call: Call) -> Reply:
    return Reply({"data": account.balance_data()})


def list_audit_events(account: Account, call: Call) -> Reply:
    after, before = (_moment(call, f"filter[created_{side}]") for side in ("after", "before"))
    sort = _one_of(call, "sort", ("asc", "desc")) or "desc"
    # Both ends exclusive: the documentation does not say, and the names say so.
    events = [
        event
        for event in account.audit_events
        if (after is None or parse_moment(event["created_at"]) > after)
        and (before is None or parse_moment(event["created_at"]) < before)
    ]
    return _page(call, events if sort == "desc" else events[::-1], default=20)


def get_charges_breakdown(account: Account, call: Call) -> Reply:
    start, end = _range(call, end_required=False)
    if _one_of(call, "format", ("json", "csv")) == "csv":
        text = account.charges.breakdown_csv(start, end)
        return Reply(encoded=text.encode(), media_type=b"text/csv; charset=utf-8")
    return Reply({"data": account.charges.breakdown(start, end)})


def get_charges_summary(account: Account, call: Call) -> Reply:
    start, end = _range(call, end_required=True)
    return Reply({"data": account.charges.summary(start, end)})


def search_detail_records(account: Account, call: Call) -> Reply:
    search = account.records.parse(call.query)
    number, size = _page_asked_for(call, 20, LARGEST_RECORDS_PAGE)
    records, total = account.records.page(search, number, size)
    return Reply({"data": records, "meta": _meta(number, size, total)})


def get_usage_report_options(account: Account, call: Call) -> Reply:
    return Reply({"data": account.usage.options(call.get("product"))})


def get_usage_report(account: Account, call: Call) -> Reply:
    number, size = _page_asked_for(call, 20, LARGEST_REPORT_PAGE)
    request = account.usage.parse(call.query)
    form = _one_of(call, "format", ("json", "csv"))
    rows = account.usage.rows(request)
    if form == "csv":
        text = as_csv(rows, request, account.business)
        return Reply(encoded=text, media_type=b"text/csv; charset=utf-8")
    meta, page = _meta(number, size, len(rows)), rows[(number - 1) * size : number * size]
    return Reply({"data": page, "meta": meta}, encoded=as_json(page, meta))


def list_invoices(account: Account, call: Call) -> Reply:
    sort = _one_of(call, "sort", ("period_start", "-period_start")) or "-period_start"
    invoices = account.invoices.all
    return _page(call, invoices if sort == "period_start" else invoices[::-1], default=20)


def get_invoice(account: Account, call: Call) -> Reply:
    invoice = account.invoices.find(_uuid(call, 400))
    action = _one_of(call, "action", ("json", "link"))
    if invoice is None:
        raise not_found("Invoice not found")
    if action == "link":
        invoice = {**invoice, "download_url": account.invoices.download_url(invoice)}
    return Reply({"data": invoice})


def get_auto_recharge_preferences(account: Account, call: Call) -> Reply:
    return Reply({"data": account.preferences_data()})


def update_auto_recharge_preferences(account: Account, call: Call) -> Reply:
    return Reply({"data": account.change_preferences(call.json())})


def list_user_tags(account: Account, call: Call) -> Reply:
    return Reply({"data": account.user_tags(call.get("filter[starts_with]") or "")})


def create_stored_payment_transaction(account: Account, call: Call) -> Reply:
    return Reply({"data": account.pay(call.json())})


def list_webhook_deliveries(account: Account, call: Call) -> Reply:
    status = _one_of(call, "filter[status][eq]", ("delivered", "failed"), 422)
    event_types = {name.strip() for name in (call.get("filter[event_type]") or "").split(",")}
    texts = {part: call.get(f"filter[{part}][contains]") for part in ("webhook", "attempts")}
    spans = {
        field: tuple(_moment(call, f"filter[{field}][{end}]", 422) for end in ("gte", "lte"))
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

    return _page(call, [each for each in account.webhooks.all if wanted(each)], default=20)


def _within(text: str, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    moment = parse_moment(text)
    return (since is None or moment >= since) and (until is None or moment <= until)


def get_webhook_delivery(account: Account, call: Call) -> Reply:
    delivery = account.webhooks.find(_uuid(call, 404))
    if delivery is None:
        raise not_found("WebhookDelivery not found")
    return Reply({"data": delivery})


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation's id, its place on the wire, and what carries it out."""

    id: str
    method: str
    path: str
    handle: Handler
    scans: bool = False
    """Whether it may take long enough to be kept off the event loop."""


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
)


def _page(call: Call, items: list[Any], default: int) -> Reply:
    number, size = _page_asked_for(call, default, LARGEST_PAGE)
    first = (number - 1) * size
    return Reply(
        {
            "data": items[first : first + size],
            "meta": _meta(number, size, len(items)),
        }
    )


def _page_asked_for(call: Call, default: int, largest: int) -> tuple[int, int]:
    number = _whole_number(call, "page[number]", 1, 2**31 - 1)
    return number, _whole_number(call, "page[size]", default, largest)


def _whole_number(call: Call, name: str, default: int, largest: int) -> int:
    text = call.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= largest:
        raise bad_parameter(name, f"'{name}' must be a whole number from 1 to {largest}.")
    return int(text)


def _meta(number: int, size: int, total: int) -> dict[str, int]:
    return {
        "page_number": number,
        "page_size": size,
        "total_pages": -(-total // size),
        "total_results": total,
    }


def _one_of(call: Call, name: str, allowed: Iterable[str], status: int = 400) -> str | None:
    value = call.get(name)
    if value is not None and value not in allowed:
        raise bad_parameter(name, f"'{name}' must be one of {', '.join(allowed)}.", status)
    return value


def _moment(call: Call, name: str, status: int = 400) -> datetime | None:
    text = call.get(name)
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError:
        raise bad_parameter(name, f"'{name}' must be an ISO 8601 time.", status) from None


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
    if end - start > MOST_DAYS:
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
