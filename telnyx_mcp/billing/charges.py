"""The monthly and one-time charges of a period, added up from Telnyx's own summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    adds_up: bool = True
    """Whether Telnyx's totals are the sums of Telnyx's parts."""

    def charged(self, currency: str) -> Decimal:
        """Recurring, one-time and other charges."""
        figures = self.figures.get(currency, {})
        return sum((figures.get(name, ZERO) for name in CHARGED), ZERO)

    def add(self, summary: ChargesSummary) -> None:
        """Raises `TelnyxError` for a summary whose figures can't be read."""
        if summary.total is None or summary.total.grand_total is None:
            raise TelnyxError(Failure.WRONG_SHAPE, "the summary has no total")
        currency = summary.currency or "unknown"
        stated = summary.total.model_dump()
        new = {name: _sum(stated[part] for part in parts) for name, parts in FIGURES.items()}
        body = summary.summary
        amounts = [
            (line.name or line.alias or "unnamed", _amount(line))
            for line in (body and body.lines) or []
        ]
        self.adds_up &= _decimal(summary.total.grand_total) == sum(new.values(), ZERO)
        figures = self.figures.setdefault(currency, dict.fromkeys(FIGURES, ZERO))
        for name, amount in new.items():
            figures[name] += amount
        lines = self.lines.setdefault(currency, defaultdict(lambda: ZERO))
        for name, amount in amounts:
            lines[name] += amount
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
                charges.add(await client.get_charges_summary(part.start, part.end))
            except TelnyxError as error:
                charges.missing.append(part)
                charges.error = charges.error or error

    async with anyio.create_task_group() as tasks:
        for part in period.parts():
            tasks.start_soon(ask, part)
    charges.missing.sort(key=lambda part: part.start)
    charges.adjustments.sort(key=lambda each: each.date, reverse=True)
    return charges


def _amount(line: SummaryLine) -> Decimal:
    if line.amount is not None:
        return _decimal(line.amount)
    details = (line.new_this_month, line.existing_this_month)
    return _sum(each for detail in details if detail for each in (detail.mrc, detail.otc))


def _sum(amounts: Iterable[str | None]) -> Decimal:
    return sum((_decimal(each) for each in amounts), ZERO)


def _decimal(text: str | None) -> Decimal:
    """The amount; 0 if it is absent. Raises `TelnyxError` for anything that is not an amount: 0 would
    be wrong."""
    amount = amount_of(text or "0")
    if amount is None:
        raise TelnyxError(Failure.WRONG_SHAPE, f"{str(text)[:40]!r} is not an amount")
    return amount
