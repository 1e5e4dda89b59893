"""What the phone numbers cost: the breakdown by number and the summary, from one list of charges.

The rule: a number's monthly charges fall on the day it is bought and, from then on, on the first of
every month on which it is still held; its one-time charges fall on the day it is bought; a port-out
fee falls on the day it leaves. Every charge has one day, so a range may be split anywhere and the
parts still add up exactly, and both answers are sums over the same charges.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.business import Business
from telnyx_mcp.sandbox.days import first_of_month, months_between
from telnyx_mcp.sandbox.numbers import SERVICES, Number, Numbers

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
PORT_OUT_FEE = Decimal("3.00")
CREDITS = (
    ("Credit for service outage", "-12.50"),
    ("Goodwill credit", "-5.00"),
    ("Volume credit", "-18.75"),
)
LEDGER_ADJUSTMENTS = (
    ("Regulatory recovery fee", "4.20"),
    ("Late porting fee", "6.00"),
    ("Rounding correction", "-0.03"),
)


@dataclass(frozen=True, slots=True)
class Charge:
    day: date
    number: Number
    name: str
    alias: str
    cost_type: str
    cost: Decimal
    new: bool
    """Charged because the number was bought on this day, not because it was held already."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    day: date
    description: str
    amount: Decimal
    credit: bool


class Charges:
    """The account's phone-number charges, generated month by month when first asked for."""

    def __init__(self, business: Business, numbers: Numbers, first_day: date, today: date) -> None:
        self._business = business
        self._numbers = numbers
        self._first_day = first_day
        self._today = today
        self._months: dict[date, tuple[tuple[Charge, ...], tuple[Adjustment, ...]]] = {}

    def between(self, start: date, end: date) -> list[Charge]:
        """The charges of `[start, end)`, oldest first."""
        return [
            charge
            for month in self._months_of(start, end)
            for charge in self._month(month)[0]
            if start <= charge.day < end
        ]

    def adjustments_between(self, start: date, end: date) -> list[Adjustment]:
        """The credits and ledger adjustments of `[start, end)`, oldest first."""
        return [
            adjustment
            for month in self._months_of(start, end)
            for adjustment in self._month(month)[1]
            if start <= adjustment.day < end
        ]

    def grand_total(self, start: date, end: date) -> Decimal:
        """Everything charged in `[start, end)`, credits subtracted."""
        adjustments = self.adjustments_between(start, end)
        total = sum((charge.cost for charge in self.between(start, end)), ZERO)
        return total + sum((adjustment.amount for adjustment in adjustments), ZERO)

    def breakdown(self, start: date, end: date) -> dict[str, Any]:
        """The `data` of `GET /charges_breakdown`."""
        by_number: dict[str, list[Charge]] = {}
        for charge in self.between(start, end):
            by_number.setdefault(charge.number.phone_number, []).append(charge)
        results = []
        for phone_number, charges in sorted(by_number.items()):
            owner = self._service_owner(charges[0].number)
            services = [
                {"name": charge.name, "cost_type": charge.cost_type, "cost": str(charge.cost)}
                for charge in charges
            ]
            results.append(
                {
                    "tn": phone_number,
                    "charge_type": charges[0].number.charge_type,
                    "service_owner_user_id": owner.id,
                    "service_owner_email": owner.email,
                    "services": services,
                }
            )
        return {**self._header(start, end), "results": results}

    def summary(self, start: date, end: date) -> dict[str, Any]:
        """The `data` of `GET /charges_summary`."""
        charges = self.between(start, end)
        adjustments = self.adjustments_between(start, end)
        lines: list[dict[str, Any]] = []
        for service in SERVICES:
            own = [charge for charge in charges if charge.alias == service.alias]
            if own:
                lines.append(_comparative_line(service.name, service.alias, own))
        port_outs = [charge for charge in charges if charge.alias == "port_out"]
        if port_outs:
            lines.append(
                {
                    "type": "simple",
                    "name": "Port Out",
                    "alias": "port_out",
                    "quantity": len(port_outs),
                    "amount": _sum(port_outs),
                }
            )
        new = [charge for charge in charges if charge.new]
        total = {
            "new_mrc": _sum([charge for charge in new if charge.cost_type == "MRC"]),
            "new_otc": _sum([charge for charge in new if charge.cost_type == "OTC"]),
            "existing_mrc": _sum(
                [charge for charge in charges if not charge.new and charge.cost_type == "MRC"]
            ),
            "other": _sum(port_outs),
            "credits": _sum_adjustments(adjustments, credit=True),
            "ledger_adjustments": _sum_adjustments(adjustments, credit=False),
            "grand_total": str(self.grand_total(start, end)),
        }
        shown = [
            {
                "amount": str(adjustment.amount),
                "description": adjustment.description,
                "event_date": adjustment.day.isoformat(),
            }
            for adjustment in adjustments
        ]
        header = self._header(start, end)
        return {**header, "summary": {"lines": lines, "adjustments": shown}, "total": total}

    def breakdown_csv(self, start: date, end: date) -> str:
        """The breakdown as text, one line per charge. Telnyx documents no columns."""
        columns = ("tn", "charge_type", "service_owner_user_id", "service_owner_email")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*columns, "service_name", "cost_type", "cost", "currency"))
        for result in self.breakdown(start, end)["results"]:
            for service in result["services"]:
                line = [result[column] for column in columns]
                writer.writerow(
                    (*line, service["name"], service["cost_type"], service["cost"], "USD")
                )
        return text.getvalue()

    def _header(self, start: date, end: date) -> dict[str, str]:
        owner = self._business.owner
        return {
            "user_id": owner.id,
            "user_email": owner.email,
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
            "currency": "USD",
        }

    def _service_owner(self, number: Number) -> Any:
        support = number.tag in {"dispatch", "support"}
        return self._business.operations if support else self._business.owner

    def _months_of(self, start: date, end: date) -> Iterator[date]:
        first = max(first_of_month(start), self._first_day)
        return months_between(first, min(end, self._today + timedelta(days=1)))

    def _month(self, month: date) -> tuple[tuple[Charge, ...], tuple[Adjustment, ...]]:
        found = self._months.get(month)
        if found is None:
            charges = sorted(
                (charge for number in self._numbers.all for charge in _of_month(number, month)),
                key=lambda charge: charge.day,
            )
            found = (tuple(charges), tuple(self._adjustments(month)))
            self._months[month] = found
        return found

    def _adjustments(self, month: date) -> Iterator[Adjustment]:
        rng = random.Random(f"{self._business.seed}:adjustments:{month:%Y-%m}")
        days = sorted(rng.sample(range(27), 2))
        for chance, credit, known, offset in (
            (0.5, True, CREDITS, days[0]),
            (0.6, False, LEDGER_ADJUSTMENTS, days[1]),
        ):
            description, amount = rng.choice(known)
            day = month + timedelta(days=offset)
            if rng.random() < chance and day <= self._today:
                yield Adjustment(day, description, Decimal(amount), credit)


def _of_month(number: Number, month: date) -> Iterator[Charge]:
    bought, released = number.bought_on, number.released_on
    new = first_of_month(bought) == month
    if new or number.active_on(month):
        day = bought if new else month
        for service in number.services:
            yield Charge(day, number, service.name, service.alias, "MRC", service.mrc, new)
            if new and service.otc is not None:
                yield Charge(day, number, service.name, service.alias, "OTC", service.otc, new)
    if number.ported_out and released is not None and first_of_month(released) == month:
        yield Charge(released, number, "Port Out", "port_out", "OTC", PORT_OUT_FEE, new=False)


def _comparative_line(name: str, alias: str, charges: list[Charge]) -> dict[str, Any]:
    new = [charge for charge in charges if charge.new]
    new_monthly = [charge for charge in new if charge.cost_type == "MRC"]
    existing = [charge for charge in charges if not charge.new]
    once = [charge for charge in new if charge.cost_type == "OTC"]
    return {
        "type": "comparative",
        "name": name,
        "alias": alias,
        "new_this_month": {
            "quantity": len(new_monthly),
            "mrc": _sum(new_monthly),
            "otc": _sum(once) if once else None,
        },
        "existing_this_month": {"quantity": len(existing), "mrc": _sum(existing)},
    }


def _sum(charges: list[Charge]) -> str:
    return str(sum((charge.cost for charge in charges), ZERO).quantize(CENT))


def _sum_adjustments(adjustments: list[Adjustment], *, credit: bool) -> str:
    own = (adjustment.amount for adjustment in adjustments if adjustment.credit is credit)
    return str(sum(own, ZERO))
