"""The account's phone numbers: when each was bought and released, what it costs, how it is tagged."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from telnyx_mcp.sandbox.business import NUMBER_TAGS, Business, Connection, stable_digits
from telnyx_mcp.sandbox.days import first_of_month, months_between

AREA_CODES = (201, 212, 303, 312, 415, 512, 617, 702, 773, 862)
TOLL_FREE_CODES = (833, 844, 855, 866)
FIRST_NUMBERS = 230
"""Held since before the history begins. Of every 20 of them one is idle, and half of those have no tag."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a number is charged for: monthly (`mrc`) and once when it is bought (`otc`)."""

    name: str
    alias: str
    mrc: Decimal
    otc: Decimal | None = None


LOCAL = Service("Local DIDs", "local", Decimal("1.00"), Decimal("1.00"))
TOLL_FREE = Service("Toll-Free DIDs", "toll_free", Decimal("2.00"), Decimal("1.50"))
SMS = Service("SMS Capability", "sms", Decimal("0.10"))
EMERGENCY = Service("E911", "e911", Decimal("1.50"))
RECORDING = Service("Call Recording", "call_recording", Decimal("2.00"))
CALLER_NAME = Service("CNAM Listing", "cnam_listing", Decimal("0.35"), Decimal("0.25"))
SERVICES = (LOCAL, TOLL_FREE, SMS, EMERGENCY, RECORDING, CALLER_NAME)


@dataclass(frozen=True, slots=True)
class Number:
    id: str
    phone_number: str
    charge_type: str
    services: tuple[Service, ...]
    tag: str
    """What its usage and its changes are booked on."""
    connection: Connection
    bought_at: datetime
    released_at: datetime | None
    ported_out: bool
    idle: bool = False
    """Whether it is paid for and never used."""
    tagged: bool = True

    @property
    def tags(self) -> list[str]:
        """Its tags, as the list of numbers shows them."""
        return [self.tag] if self.tagged else []

    @property
    def bought_on(self) -> date:
        return self.bought_at.date()

    @property
    def released_on(self) -> date | None:
        return None if self.released_at is None else self.released_at.date()

    def active_on(self, day: date) -> bool:
        """Whether the account holds the number at the end of that day."""
        released = self.released_on
        return self.bought_on <= day and (released is None or released > day)


class Numbers:
    """Every number the account ever had, from before its history to today."""

    def __init__(self, business: Business, first_day: date, now: datetime) -> None:
        self._business = business
        self._active: dict[date, tuple[Number, ...]] = {}
        today = now.date()
        rng = random.Random(f"{business.seed}:numbers:start")
        drafts = [
            self._draft(rng, index, first_day - timedelta(days=rng.randrange(20, 700)))
            for index in range(FIRST_NUMBERS)
        ]
        released: dict[int, datetime] = {}
        for month in months_between(first_day, first_of_month(today, 1)):
            rng = random.Random(f"{business.seed}:numbers:{month:%Y-%m}")
            days = (first_of_month(month, 1) - month).days
            for _ in range(rng.choice((2, 4, 6, 9, 14))):
                drafts.append(self._draft(rng, len(drafts), month + timedelta(rng.randrange(days))))
            for _ in range(rng.choice((0, 1, 2, 3))):
                held = [
                    index
                    for index, number in enumerate(drafts)
                    if index not in released and number.bought_on < month
                ]
                day = month + timedelta(days=rng.randrange(days))
                released[rng.choice(held)] = _office_hours(rng, day)
        self.all: tuple[Number, ...] = tuple(
            _with_release(number, released.get(index), now)
            for index, number in enumerate(drafts)
            if number.bought_at <= now
        )

    def active_on(self, day: date) -> tuple[Number, ...]:
        """The numbers that a day's usage falls on: those held at its end, except the idle ones.

        An idle number is replaced by another with the same tag and connection, so that sums by tag or
        connection do not depend on which numbers are idle.
        """
        found = self._active.get(day)
        if found is None:
            held = [number for number in self.all if number.active_on(day)]
            found = tuple(_in_use(number, held) for number in held)
            self._active[day] = found
        return found

    def _draft(self, rng: random.Random, index: int, day: date) -> Number:
        toll_free = rng.random() < 0.15
        area = rng.choice(TOLL_FREE_CODES if toll_free else AREA_CODES)
        services = [TOLL_FREE if toll_free else LOCAL]
        services += [SMS] if rng.random() < 0.7 else []
        services += [EMERGENCY] if not toll_free and rng.random() < 0.35 else []
        services += [RECORDING] if rng.random() < 0.1 else []
        services += [CALLER_NAME] if rng.random() < 0.2 else []
        return Number(
            id=stable_digits(self._business.seed, f"number:{index}"),
            phone_number=f"+1{area}555{index:04d}",
            charge_type="toll_free" if toll_free else "local",
            services=tuple(services),
            tag=rng.choice(NUMBER_TAGS),
            connection=rng.choice(self._business.connections),
            bought_at=_office_hours(rng, day),
            released_at=None,
            ported_out=rng.random() < 0.4,
            idle=index < FIRST_NUMBERS and index % 20 == 7,
            tagged=index >= FIRST_NUMBERS or index % 40 != 7,
        )


def _office_hours(rng: random.Random, day: date) -> datetime:
    moment = datetime.combine(day, time(8), tzinfo=UTC)
    return moment + timedelta(milliseconds=rng.randrange(10 * 3_600_000))


def _with_release(number: Number, released_at: datetime | None, now: datetime) -> Number:
    if released_at is None or released_at > now:
        return number
    return replace(number, released_at=released_at)


def _in_use(number: Number, held: list[Number]) -> Number:
    if not number.idle:
        return number
    booked_on = number.tag, number.connection
    used = (each for each in held if not each.idle)
    return next((each for each in used if (each.tag, each.connection) == booked_on), number)
