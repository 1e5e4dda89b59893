"""The monthly and one-time charges of a period, added up from Telnyx's own summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import anyio

from telnyx_mcp.billing.money import ZERO, amount_of
from telnyx_mcp.billing.periods import Period
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import ChargesSummary, SummaryLine

AT_ONCE = 4
"""Summaries that are requested at the same time."""

FIGURES: Mapping[str, tuple[str, ...]] = {
    "recurring": ("new_mrc", "existing_mrc"),
    "one_time": ("new_otc",),
    "other": ("other",),
    "credits": ("credits",),
    "adjustments": ("ledger_adjustments",),
}
"""Our figures, and the figures of Telnyx's summary that each is the sum of."""
CHARGED = ("recurring", "one_time", "other")
"""What was charged. Telnyx's `credits` may include top-ups, and so may its grand total: neither states what
was spent."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction that Telnyx made to the balance."""

    currency: str
    amount: str
    text: str
    date: str


@dataclass
class Charges:
    """The charges of a period, by currency; and which parts of it could not be read."""

    figures: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    lines: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """The sum of each service."""
    adjustments: list[Adjustment] = field(default_factory=list)
    missing: list[Period] = field(default_factory=list)
    error: TelnyxError | None = None
    unreadable: list[str] = field(default_factory=list)
    """Figures that are missing from the sums, as Telnyx sent no amount."""
    lacks_charged: bool = False
    """Whether one of them is part of what was charged."""
    unreadable_lines: set[str] = field(default_factory=set)
    """Services whose sum lacks an amount."""
    adds_up: bool = True
    """Whether Telnyx's totals are the sums of Telnyx's parts."""

    def charged(self, currency: str) -> Decimal:
        """Recurring, one-time and other charges."""
        figures = self.figures.get(currency, {})
        return sum((figures.get(name, ZERO) for name in CHARGED), ZERO)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left out of what was charged."""
        return not self.missing and not self.lacks_charged

    def add(self, summary: ChargesSummary, part: Period) -> None:
        """Adds the charges of a part of the period. Raises `TelnyxError` for a summary without figures."""
        stated = summary.total.model_dump() if summary.total else {}
        known = {name: amount_of(stated.get(name)) for names in FIGURES.values() for name in names}
        if all(amount is None for amount in known.values()):
            raise TelnyxError(Failure.WRONG_SHAPE, "the summary has no total")
        currency = summary.currency or "unknown"
        new = {
            name: sum((known[each] or ZERO for each in parts), ZERO)
            for name, parts in FIGURES.items()
        }
        total = amount_of(stated.get("grand_total"))
        adds_up = total == sum(new.values(), ZERO)
        # A figure that is absent is 0, if the others make up the total.
        unreadable = [
            name
            for name, amount in known.items()
            if amount is None and (stated[name] or not adds_up)
        ]
        charged = {each for name in CHARGED for each in FIGURES[name]}
        self.lacks_charged |= not charged.isdisjoint(unreadable)
        self.unreadable += [f"{name} of {part.start}" for name in unreadable]
        self.adds_up &= adds_up or total is None or bool(unreadable)
        figures = self.figures.setdefault(currency, dict.fromkeys(FIGURES, ZERO))
        for name, amount in new.items():
            figures[name] += amount
        self._add_lines(summary, currency)

    def _add_lines(self, summary: ChargesSummary, currency: str) -> None:
        body = summary.summary
        lines = self.lines.setdefault(currency, defaultdict(lambda: ZERO))
        for line in (body and body.lines) or []:
            name = line.name or line.alias or "unnamed"
            if (amount := _amount(line)) is None:
                self.unreadable_lines.add(name)
            lines[name] += amount or ZERO
        self.adjustments += [
            Adjustment(currency, each.amount or "", each.description or "", each.event_date or "")
            for each in (body and body.adjustments) or []
        ]


async def charges_of(client: TelnyxClient, period: Period) -> Charges:
    """The charges of the period, in as many requests as it has calendar months.

    A part that fails is named in `missing`, and the first failure in `error`.
    """
    charges = Charges()
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def ask(part: Period) -> None:
        async with limiter:
            try:
                charges.add(await client.get_charges_summary(part.start, part.end), part)
            except TelnyxError as error:
                charges.missing.append(part)
                charges.error = charges.error or error

    async with anyio.create_task_group() as tasks:
        for part in period.parts():
            tasks.start_soon(ask, part)
    charges.missing.sort(key=lambda part: part.start)
    charges.adjustments.sort(key=lambda each: each.date, reverse=True)
    return charges


def _amount(line: SummaryLine) -> Decimal | None:
    """What a service cost; None where an amount can't be read."""
    if line.amount is not None:
        return amount_of(line.amount)
    details = [each for each in (line.new_this_month, line.existing_this_month) if each]
    stated = [each for detail in details for each in (detail.mrc, detail.otc) if each is not None]
    amounts = [amount_of(each) for each in stated]
    if not amounts or None in amounts:
        return None
    return sum((each for each in amounts if each is not None), ZERO)
