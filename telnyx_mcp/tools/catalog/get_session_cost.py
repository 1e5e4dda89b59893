"""`telnyx_get_session_cost`"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from telnyx_mcp.billing.money import ZERO, amount_of, format_amount
from telnyx_mcp.telnyx.account_models import SessionAnalysis, SessionEvent
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.tools.framework.arguments import Day, Id, Params, Text
from telnyx_mcp.tools.framework.results import Result, Row
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.vocabulary import product_named

SESSION = "call-session"
MAX_EVENTS = 20
"""Events that an answer names; the dearest of them."""
REST = "(not itemised)"
PRODUCTS: Mapping[str, str] = {
    "callcontrol-cdrs": "call-control",
    "siptrunking-cdrs": "sip-trunking",
}
"""Names of products in sessions, and everywhere else."""


def _record_type(text: str) -> str:
    low = text.lower()
    known = None if low == SESSION else product_named(low)
    low = (known and known.record_type) or low
    if not re.fullmatch(r"[a-z0-9_-]+", low, re.ASCII):
        raise ValueError(f"must be a record type, such as {SESSION} or call-control")
    return low


class SessionParams(Params):
    instead: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("call_session_id", "id", "call_id"), "Use session_id."),
        **dict.fromkeys(("record_id", "call_leg_id"), "Use session_id, with its record_type."),
    }

    session_id: Id = Field(
        description="The call_session_id (a UUID) from a detail record of the call."
    )
    record_type: Annotated[Text, AfterValidator(_record_type)] = Field(
        SESSION,
        description="Type of the record, e.g. sip-trunking, if session_id is that record's own id.",
    )
    date: Day | None = Field(
        None, description="Day of the call in UTC, YYYY-MM-DD; makes the lookup faster."
    )


class ProductCost(Row):
    """The events of one product."""

    product: str | None = Field(None, description="Product, such as call or recording.")
    events: int | None = Field(None, description="How many events.")
    cost: str | None = Field(None, description="Their cost as a decimal string.")
    currency: str | None = Field(
        None, description="Currency of the cost, if not that of the total."
    )


class EventCost(Row):
    """One event of the session."""

    product: str | None = Field(None, description="Product that the event is charged as.")
    event: str | None = Field(None, description="What happened.")
    cost: str | None = Field(None, description="Cost as a decimal string.")
    currency: str | None = Field(
        None, description="Currency of the cost, if not that of the total."
    )
    id: str | None = Field(None, description="Id of the event.")


class SessionResult(Result):
    rows = "events"

    session_id: str | None = Field(None, description="Id of the session.")
    total: str | None = Field(
        None, description="Cost of the session as a decimal string, as Telnyx states it."
    )
    part_total: str | None = Field(
        None, description="Instead, where Telnyx sent no total: the costs that it sent."
    )
    currency: str | None = None
    by_product: list[ProductCost] = Field(description="Cost by product, the dearest first.")
    events: list[EventCost] = Field(description=f"The {MAX_EVENTS} dearest events.")
    event_count: int = Field(description="How many events by_product counts.")


async def get_session_cost(call: Call[SessionParams]) -> SessionResult:
    params = call.params
    try:
        return _result(await _find_session(call, params.date))
    except TelnyxError as error:
        if error.failure is Failure.NOT_FOUND:
            error.extra_advice = (
                "Take call_session_id from a detail record of the call "
                "(telnyx_search_detail_records). For the id of one record give its record_type too. "
                "A call of the last minutes may not be there yet."
            )
        raise


async def _find_session(call: Call[SessionParams], day: date | None) -> SessionAnalysis:
    """The session. It is not found under a wrong day, so it is then looked for without one."""
    params = call.params
    try:
        return await call.client.get_session_analysis(
            params.record_type, params.session_id, date=day
        )
    except TelnyxError as error:
        if day is None or error.failure is not Failure.NOT_FOUND:
            raise
    return await _find_session(call, None)


@dataclass(slots=True)
class _Products:
    """Costs and numbers of events by product and currency."""

    costs: dict[tuple[str, str | None], Decimal] = field(default_factory=dict)
    counts: dict[tuple[str, str | None], int] = field(default_factory=dict)
    unreadable: int = 0

    def add(self, event: SessionEvent, currency: str | None) -> None:
        cost = amount_of(event.cost.event_cost) if event.cost else None
        self.unreadable += cost is None
        key = _product(event), (event.cost and event.cost.currency) or currency
        self.costs[key] = self.costs.get(key, ZERO) + (cost or ZERO)
        self.counts[key] = self.counts.get(key, 0) + 1

    def total(self, currency: str | None) -> Decimal:
        return sum((cost for key, cost in self.costs.items() if key[1] == currency), ZERO)

    def rows(self, currency: str | None) -> list[ProductCost]:
        """A row for each; the currency is named if it is not that of the total."""
        ordered = sorted(self.costs.items(), key=lambda each: (-each[1], each[0][0]))
        return [
            ProductCost(
                product=key[0],
                events=self.counts[key],
                cost=format_amount(cost),
                currency=None if key[1] == currency else key[1],
            )
            for key, cost in ordered
        ]


def _result(analysis: SessionAnalysis) -> SessionResult:
    total, currency = _total(analysis)
    events = list(_iter_events(analysis.root))
    products = _Products()
    for each in events:
        products.add(each, currency)
    rows = products.rows(currency)
    part = products.total(currency) if total is None else None
    if total is not None and (rest := total - products.total(currency)):
        rows.append(ProductCost(product=REST, cost=format_amount(rest)))
    events.sort(key=lambda each: -(_cost(each) or ZERO))
    return SessionResult(
        session_id=analysis.session_id,
        total=None if total is None else format_amount(total),
        part_total=None if part is None else format_amount(part),
        currency=currency,
        by_product=rows,
        events=[_row(each, currency) for each in events[:MAX_EVENTS]],
        event_count=len(events),
        note=_note(products.unreadable, len(events)),
    )


def _total(analysis: SessionAnalysis) -> tuple[Decimal | None, str | None]:
    """What the session cost, as Telnyx added it up, and in which currency."""
    cost, root = analysis.cost, analysis.root and analysis.root.cost
    total = amount_of(cost.total) if cost else None
    if total is None and root:
        total = amount_of(root.cumulative_cost)
    return total, (cost and cost.currency) or (root and root.currency) or None


def _note(unreadable: int, count: int) -> str | None:
    notes = []
    if unreadable:
        notes.append(f"{unreadable} of {count} events have no readable cost.")
    if count > MAX_EVENTS:
        notes.append(f"events: the {MAX_EVENTS} dearest of {count}; by_product has all.")
    return " ".join(notes) or None


def _iter_events(root: SessionEvent | None) -> Iterator[SessionEvent]:
    """The event and all below it, except the session itself, which is not an event and costs nothing."""
    waiting = [] if root is None else [root]
    while waiting:
        event = waiting.pop()
        waiting += event.children or []
        if event is not root or event.event_name != SESSION or _cost(event):
            yield event


def _cost(event: SessionEvent) -> Decimal | None:
    return amount_of(event.cost.event_cost) if event.cost else None


def _product(event: SessionEvent) -> str:
    name = event.product or "unknown"
    return PRODUCTS.get(name, name)


def _row(event: SessionEvent, currency: str | None) -> EventCost:
    cost, product = _cost(event), _product(event)
    own_currency = event.cost.currency if event.cost else None
    return EventCost(
        product=product,
        event=None if event.event_name in (product, event.product) else event.event_name,
        cost=None if cost is None else format_amount(cost),
        currency=None if own_currency == currency else own_currency,
        id=event.id or None,
    )


GET_SESSION_COST = ToolSpec(
    name="telnyx_get_session_cost",
    group="usage",
    title="Cost of one call",
    description="What one call cost, all in: its legs, recording, transcription, assistant and so on, by "
    "product and event.",
    params=SessionParams,
    result=SessionResult,
    run=get_session_cost,
)
