"""What Telnyx answers, as typed models.

Every field may be absent or null, every enum may grow, and unknown fields are kept: Telnyx's own
document requires next to nothing, and a new value there must never fail a call here. Amounts are
decimal strings, returned as they came; timestamps are strings in RFC 3339, days `YYYY-MM-DD`.

Source: Telnyx's OpenAPI document of 2026-07-16 and its known contradictions.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from telnyx_mcp.telnyx.long_list import LongList
from telnyx_mcp.untrusted import LARGEST_NUMBER


class ApiModel(BaseModel):
    """The base of all: keeps unknown fields, takes numbers where strings are documented."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, defer_build=True)


def _no_flag(value: object) -> object:
    """Anything but true and false, which pydantic takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


Count = Annotated[int, BeforeValidator(_no_flag), Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
"""A number that every client can read. A larger one is odd, and named in a note."""


def _changed_fields(value: object) -> object:
    """A list of changed fields, also from one of them, or from an object of them by name."""
    if not isinstance(value, dict):
        return value
    if "field" in value:
        return [value]
    return [
        {"field": name, **change} if isinstance(change, dict) else {"field": name, "to": change}
        for name, change in value.items()
    ]


class Balance(ApiModel):
    """`available_credit` is the balance plus the credit limit. All amounts may be negative."""

    balance: str | None = None
    credit_limit: str | None = None
    available_credit: str | None = None
    pending: str | None = None
    currency: str | None = None


class AuditChange(ApiModel):
    """One changed field; both values can be any JSON, or absent."""

    field: str | None = None
    from_: Any = Field(None, alias="from")
    to: Any = None


class AuditEvent(ApiModel):
    """One change to the account. Best effort and eventually consistent, says Telnyx."""

    id: str | None = None
    created_at: str | None = None
    change_type: str | None = None
    change_made_by: str | None = None
    user_id: str | None = None
    organization_id: str | None = None
    record_type: str | None = None
    resource_id: str | None = None
    alternate_resource_id: str | None = None
    changes: Annotated[list[AuditChange], BeforeValidator(_changed_fields)] | None = None


class ServiceCost(ApiModel):
    """What one service of one number costs; `cost_type` is MRC (monthly) or OTC (one-time)."""

    name: str | None = None
    cost_type: str | None = None
    cost: str | None = None


class NumberCharges(ApiModel):
    tn: str | None = None
    charge_type: str | None = None
    service_owner_user_id: str | None = None
    service_owner_email: str | None = None
    services: list[ServiceCost] | None = None


class ChargesBreakdown(ApiModel):
    """Charges for phone numbers of a half-open range; usage is not among them."""

    start_date: str | None = None
    end_date: str | None = None
    currency: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    results: InstanceOf[LongList] | None = None
    """Read row by row, each as a `NumberCharges`."""


class MonthDetail(ApiModel):
    quantity: Count | None = None
    mrc: str | None = None
    otc: str | None = None


class SummaryLine(ApiModel):
    """`type` decides which fields are there: `comparative` (new and existing) or `simple`."""

    type: str | None = None
    name: str | None = None
    alias: str | None = None
    new_this_month: MonthDetail | None = None
    existing_this_month: MonthDetail | None = None
    quantity: Count | None = None
    amount: str | None = None


class Adjustment(ApiModel):
    amount: str | None = None
    description: str | None = None
    event_date: str | None = None


class SummaryBody(ApiModel):
    lines: list[SummaryLine] | None = None
    adjustments: list[Adjustment] | None = None


class SummaryTotal(ApiModel):
    new_mrc: str | None = None
    new_otc: str | None = None
    existing_mrc: str | None = None
    other: str | None = None
    credits: str | None = None
    ledger_adjustments: str | None = None
    grand_total: str | None = None


class ChargesSummary(ApiModel):
    """Charges of a half-open range, as Telnyx adds them up."""

    start_date: str | None = None
    end_date: str | None = None
    currency: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    summary: SummaryBody | None = None
    total: SummaryTotal | None = None


class Invoice(ApiModel):
    """`period_end` is inclusive. An invoice carries no amount; `download_url` only on request."""

    invoice_id: str | None = None
    file_id: str | None = None
    paid: bool | None = None
    period_start: str | None = None
    period_end: str | None = None
    url: str | None = None
    download_url: str | None = None


class AutoRechargePreferences(ApiModel):
    """A recharge charges what is missing up to `threshold_amount`, plus `recharge_amount`."""

    id: str | None = None
    enabled: bool | None = None
    threshold_amount: str | None = None
    recharge_amount: str | None = None
    preference: str | None = None
    invoice_enabled: bool | None = None


class UsageReportOptions(ApiModel):
    """What a usage report of one product can be asked for. Telnyx answers `record_types` with `null`
    where its own document promises a list; nothing here needs it."""

    product: str | None = None
    product_dimensions: list[str] | None = None
    product_metrics: list[str] | None = None


class UserTags(ApiModel):
    number_tags: list[str] | None = None
    outbound_profile_tags: list[str] | None = None


class StoredPaymentTransaction(ApiModel):
    """The receipt of a payment. Telnyx offers no way to read it again."""

    id: str | None = None
    amount_cents: Count | None = None
    amount_currency: str | None = None
    processor_status: str | None = None
    created_at: str | None = None
    auto_recharge: bool | None = None
    transaction_processing_type: str | None = None


class HttpRequest(ApiModel):
    """`headers` come as `[name, value]` pairs, and sometimes as `"Name: value"`; an object is taken too."""

    url: str | None = None
    headers: Any = None


class HttpResponse(ApiModel):
    status: Count | None = None
    headers: Any = None
    body: Any = None


class HttpExchange(ApiModel):
    request: HttpRequest | None = None
    response: HttpResponse | None = None


class DeliveryAttempt(ApiModel):
    """`errors` are codes, and sometimes objects of code, title and detail."""

    status: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    errors: list[Any] | None = None
    http: HttpExchange | None = None


class WebhookEvent(ApiModel):
    id: str | None = None
    event_type: str | None = None
    occurred_at: str | None = None
    payload: Any = None


class WebhookDelivery(ApiModel):
    """All attempts to deliver one event, the latest first. `id` is the delivery's own."""

    id: str | None = None
    status: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    user_id: str | None = None
    webhook: WebhookEvent | None = None
    attempts: list[DeliveryAttempt] | None = None


DetailRecord = dict[str, Any]
"""A usage record as it came. 21 record types, seven published schemas, and those contradict each
other: the object is passed through, and `record_type` says what it is."""


class PageMeta(ApiModel):
    page_number: Count | None = None
    page_size: Count | None = None
    total_pages: Count | None = None
    total_results: Count | None = None


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list. `number` is the page asked for, whatever the answer claims."""

    model_config = ConfigDict(defer_build=True)

    items: list[Item]
    number: int
    size: int
    total_pages: Count | None = None
    total_results: Count | None = None

    @property
    def has_more(self) -> bool:
        """Whether another page is worth asking for. A page that is not full, or empty, is the last
        one where Telnyx stated no total."""
        if not self.items:
            return False
        if self.total_pages is not None:
            return self.number < self.total_pages
        return len(self.items) >= self.size
