"""How long the money lasts: by the dearest and the cheapest days, with charges on their date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from telnyx_mcp.billing.runway import LONGEST, Rates, charge_days, days_left, describe_runway

TODAY = date(2026, 6, 15)


def rates(*days: int) -> Rates:
    return Rates.of([Decimal(each) for each in days])


def test_the_rates_are_those_of_the_three_dearest_of_all_and_of_the_three_cheapest_days() -> None:
    assert rates(1, 9, 2, 9, 3, 9, 2) == Rates(Decimal(9), Decimal(5), Decimal(5) / 3)


def test_monthly_charges_are_taken_on_the_first_and_not_spread() -> None:
    due = charge_days(TODAY, Decimal(100))
    assert min(due) == date(2026, 7, 1)
    assert days_left(Decimal(160), Decimal(10), due, TODAY) == 16
    assert days_left(Decimal(270), Decimal(10), due, TODAY) == 17
    assert days_left(Decimal(160), Decimal(10), {}, TODAY) == 16


@pytest.mark.parametrize(
    ("amount", "days", "words"),
    [
        (None, (5,) * 7, "unknown: Telnyx stated no amount"),
        ("0", (5,) * 7, "used up"),
        ("-3", (5,) * 7, "used up"),
        ("60", (5,) * 7, "about 12 days, until 2026-06-27"),
        ("3", (5,) * 7, "less than two days"),
        ("120", (4, 4, 4, 8, 12, 12, 12), "10 to 30 days, until 2026-06-25 at the earliest"),
        ("100", (0,) * 7, "more than two years"),
        (
            "120",
            (0, 0, 0, 8, 12, 12, 12),
            "10 days or much longer, until 2026-06-25 at the earliest",
        ),
    ],
)
def test_what_a_user_reads(amount: str | None, days: tuple[int, ...], words: str) -> None:
    left = None if amount is None else Decimal(amount)
    assert describe_runway(left, rates(*days), {}, TODAY) == words


def test_an_estimate_ends_after_two_years() -> None:
    assert days_left(Decimal(10**9), Decimal(1), {}, TODAY) == LONGEST
