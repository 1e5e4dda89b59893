"""What an account spent in a period: its charges, and what its usage records say.

Charges are the monthly and one-time charges that Telnyx sums up itself, at most 31 days at once;
here the parts of a longer period are added. Usage is added up from the detail records, one by one.
The two overlap in nothing and are never added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import anyio

from telnyx_mcp.money import ZERO, amount_of
from telnyx_mcp.periods import Period
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import ChargesSummary, SummaryLine
from telnyx_mcp.telnyx.usage import Reading, Tally, read_records, sample_records

AT_ONCE = 4
"""Requests for parts of a period that are in flight at once."""
SAMPLED_PAGES = 4
"""Pages of 50 records that an estimate is made from."""

TOTALS: Mapping[str, tuple[str, ...]] = {
    "total": ("grand_total",),
    "recurring": ("new_mrc", "existing_mrc"),
    "one_time": ("new_otc",),
    "other": ("other",),
    "credits": ("credits",),
    "adjustments": ("ledger_adjustments",),
}
"""What is told, and the figures of Telnyx's that it is the sum of."""


@dataclass
class Charges:
    """The charges of a period, by currency; and which parts of it could not be had."""

    figures: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    lines: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """What each service came to."""
    missing: list[Period] = field(default_factory=list)
    error: TelnyxError | None = None

    @property
    def adds_up(self) -> bool:
        """Whether Telnyx's totals are the sums of Telnyx's parts."""
        return all(
            each["total"] == sum((each[name] for name in TOTALS if name != "total"), ZERO)
            for each in self.figures.values()
        )

    def add(self, summary: ChargesSummary) -> None:
        """Raises `TelnyxError` for a summary whose figures can't be read."""
        if summary.total is None or summary.total.grand_total is None:
            raise TelnyxError(Failure.WRONG_SHAPE, "the summary has no total")
        currency = summary.currency or "unknown"
        told = summary.total.model_dump()
        new = {name: _sum(told[part] for part in parts) for name, parts in TOTALS.items()}
        amounts = [
            (line.name or line.alias or "unnamed", _amount(line))
            for line in (summary.summary and summary.summary.lines) or []
        ]
        figures = self.figures.setdefault(currency, dict.fromkeys(TOTALS, ZERO))
        for name, amount in new.items():
            figures[name] += amount
        lines = self.lines.setdefault(currency, defaultdict(lambda: ZERO))
        for name, amount in amounts:
            lines[name] += amount


async def charges_of(client: TelnyxClient, period: Period) -> Charges:
    """The charges of the period, in as many requests as it has calendar months.

    A part that fails is named in `missing`, and the first failure in `error`.
    """
    charges = Charges()
    few = anyio.CapacityLimiter(AT_ONCE)

    async def ask(part: Period) -> None:
        async with few:
            try:
                charges.add(await client.get_charges_summary(part.start, part.end))
            except TelnyxError as error:
                charges.missing.append(part)
                charges.error = charges.error or error

    async with anyio.create_task_group() as tasks:
        for part in period.parts():
            tasks.start_soon(ask, part)
    charges.missing.sort(key=lambda part: part.start)
    return charges


@dataclass
class Usage:
    """What the records of one type came to, as far as they were read."""

    record_type: str
    tally: Tally
    reading: Reading

    @property
    def whole(self) -> bool:
        """Whether every record counts."""
        return self.reading.whole and not self.tally.unreadable

    @property
    def refused(self) -> bool:
        """Whether Telnyx gives this key, or this account, no records of this type at all."""
        error = self.reading.error
        return error is not None and error.failure in _REFUSALS and not self.tally.records

    @property
    def why(self) -> str:
        """Why it is not whole."""
        unreadable = self.tally.unreadable
        return f"the cost of {unreadable} is no amount" if unreadable else self.reading.why

    @property
    def countless(self) -> bool:
        """Whether there are more records than were read, and nobody told how many."""
        return self.reading.more and self.reading.total is None

    def estimate(self, days: int) -> Iterator[tuple[str, Decimal]]:
        """What a day costs by the records that were sampled, per currency; exact where all were."""
        records, total = self.reading.records, self.reading.total
        for currency, cost in self.tally.costs:
            yield currency, cost * (records if total is None else total) / records / days


_REFUSALS = (Failure.BAD_REQUEST, Failure.FORBIDDEN, Failure.NOT_FOUND)


async def usage_of(
    client: TelnyxClient,
    record_type: str,
    period: Period,
    progress: Callable[[Reading], Awaitable[None]],
) -> Usage:
    """The usage of one record type, as far as it can be had."""
    tally = Tally()
    reading = await read_records(client, record_type, *period.instants(), tally.add, progress)
    return Usage(record_type, tally, reading)


async def sampled_usage_of(client: TelnyxClient, record_type: str, period: Period) -> Usage:
    """The usage of one record type by some of its records, spread over the period."""
    tally = Tally()
    reading = await sample_records(
        client,
        record_type,
        *period.instants(),
        tally.add,
        most_pages=SAMPLED_PAGES,
    )
    return Usage(record_type, tally, reading)


def biggest(lines: Mapping[str, Decimal], count: int) -> tuple[list[tuple[str, Decimal]], Decimal]:
    """The lines with the largest amounts, and the sum of all others."""
    ordered = sorted(lines.items(), key=lambda each: (-abs(each[1]), each[0]))
    ordered = [each for each in ordered if each[1]]
    return ordered[:count], sum((amount for _, amount in ordered[count:]), ZERO)


def _amount(line: SummaryLine) -> Decimal:
    if line.amount is not None:
        return _decimal(line.amount)
    details = (line.new_this_month, line.existing_this_month)
    return _sum(each for detail in details if detail for each in (detail.mrc, detail.otc))


def _sum(amounts: Iterable[str | None]) -> Decimal:
    return sum((_decimal(each) for each in amounts), ZERO)


def _decimal(text: str | None) -> Decimal:
    """The amount; 0 for none. Raises `TelnyxError` for what is no amount: 0 would be a lie."""
    amount = amount_of(text or "0")
    if amount is None:
        raise TelnyxError(Failure.WRONG_SHAPE, f"{str(text)[:40]!r} is no amount")
    return amount
