"""Audit events: every change of eighteen months, including the payments and settings of today."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.business import (
    CODES_URL,
    CODES_URL_TYPO,
    DOMAIN,
    NUMBER_TAGS,
    VOICE_URL,
    Business,
    User,
)
from telnyx_mcp.sandbox.days import first_of_month, midnight, months_between, timestamp
from telnyx_mcp.sandbox.incidents import TYPO_FIXED, TYPO_MADE, from_today
from telnyx_mcp.sandbox.numbers import Numbers

Change = tuple[str, Any, Any]
"""Field, value before, value after."""

FIRST_PREFERENCES: dict[str, Any] = {
    "enabled": False,
    "invoice_enabled": False,
    "preference": "credit_paypal",
    "recharge_amount": "50.00",
    "threshold_amount": "20.00",
}
# (months before today, who, what changed): applied to the first preferences, they give today's.
PREFERENCE_CHANGES: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (14, "owner", {"enabled": True}),
    (9, "operations", {"recharge_amount": "150.00", "threshold_amount": "75.00"}),
    (5, "telnyx", {"enabled": False}),
    (4, "owner", {"enabled": True, "preference": "ach"}),
    (1, "operations", {"recharge_amount": "200.00", "threshold_amount": "100.00"}),
)
PREFERENCES_ID = "1524126400473204723"


@dataclass(frozen=True, slots=True)
class AuditEvents:
    """The account's history of changes, newest first in `all`."""

    business: Business
    all: list[dict[str, Any]]

    @classmethod
    def of_history(
        cls, business: Business, numbers: Numbers, first_day: date, now: datetime
    ) -> AuditEvents:
        """Every event up to now, from the same numbers and incidents as the rest of the account."""
        events = cls(business, [])
        sources = (
            _number_events(events, numbers, first_day),
            _preference_events(events, now.date()),
            _webhook_events(events, now.date()),
            _monthly_events(events, first_day, now.date()),
        )
        for source in sources:
            events.all.extend(source)
        start, end = timestamp(midnight(first_day)), timestamp(now)
        events.all[:] = [event for event in events.all if start <= event["created_at"] <= end]
        events.all.sort(key=lambda event: (event["created_at"], event["id"]), reverse=True)
        return events

    def record(
        self,
        user: User,
        moment: datetime,
        change_type: str,
        resource: tuple[str, str],
        changes: list[Change] | None,
        alternate: str | None = None,
    ) -> dict[str, Any]:
        """One event about the resource `(type, id)`; it is not added to `all`."""
        record_type, resource_id = resource
        created_at = timestamp(moment)
        identity = f"audit:{created_at}:{record_type}:{resource_id}:{change_type}"
        listed = None
        if changes is not None:
            listed = [
                {"field": field, "from": before, "to": after} for field, before, after in changes
            ]
        return {
            "id": self.business.uuid(identity),
            "organization_id": self.business.organization_id,
            "user_id": user.id,
            "change_made_by": user.role,
            "change_type": change_type,
            "record_type": record_type,
            "resource_id": resource_id,
            "alternate_resource_id": alternate,
            "changes": listed,
            "created_at": created_at,
        }

    def payment(
        self, user: User, moment: datetime, transaction_id: str, amount: Decimal
    ) -> dict[str, Any]:
        """The event of a payment by stored method."""
        return self.record(
            user,
            moment,
            "create",
            ("stored_payment_transaction", transaction_id),
            [("amount", None, str(amount)), ("currency", None, "USD")],
        )

    def preferences(self, user: User, moment: datetime, changes: list[Change]) -> dict[str, Any]:
        """The event of a change of the auto-recharge preferences."""
        resource = ("auto_recharge_pref", PREFERENCES_ID)
        return self.record(user, moment, "update", resource, changes)


def current_preferences() -> dict[str, Any]:
    """The auto-recharge preferences that the history leads to."""
    preferences = dict(FIRST_PREFERENCES)
    for _, _, changed in PREFERENCE_CHANGES:
        preferences.update(changed)
    return preferences


def _number_events(
    events: AuditEvents, numbers: Numbers, first_day: date
) -> Iterator[dict[str, Any]]:
    business = events.business
    for number in numbers.all:
        resource = ("phone_number", number.id)
        buyer = business.operations if number.tag in {"dispatch", "support"} else business.owner
        if number.bought_on >= first_day:
            yield events.record(
                buyer,
                number.bought_at,
                "create",
                resource,
                [
                    ("status", None, "active"),
                    ("connection_id", None, number.connection.id),
                    ("tags", [], [number.tag]),
                ],
                number.phone_number,
            )
        if number.released_at is not None:
            after = "ported_out" if number.ported_out else "deleted"
            user = business.telnyx if number.ported_out else buyer
            changes = [("status", "active", after)]
            yield events.record(
                user, number.released_at, "delete", resource, changes, number.phone_number
            )


def _preference_events(events: AuditEvents, today: date) -> Iterator[dict[str, Any]]:
    preferences = dict(FIRST_PREFERENCES)
    for back, who, changed in PREFERENCE_CHANGES:
        moment = midnight(first_of_month(today, -back)) + timedelta(days=11, hours=15, minutes=back)
        user = getattr(events.business, who)
        yield events.preferences(
            user, moment, [(name, preferences[name], value) for name, value in changed.items()]
        )
        preferences.update(changed)


def _webhook_events(events: AuditEvents, today: date) -> Iterator[dict[str, Any]]:
    """The edits behind the failures: the mistyped host and its repair, the move of the voice app."""
    business = events.business
    codes = ("messaging_profile", business.profiles[1].id)
    yield events.record(
        business.developer,
        from_today(today, TYPO_MADE),
        "update",
        codes,
        [("webhook_url", CODES_URL, CODES_URL_TYPO)],
        business.profiles[1].name,
    )
    yield events.record(
        business.operations,
        from_today(today, TYPO_FIXED),
        "update",
        codes,
        [("webhook_url", CODES_URL_TYPO, CODES_URL)],
        business.profiles[1].name,
    )
    contact_centre = business.connections[0]
    old = f"https://voice-old.{DOMAIN}/telnyx"
    yield events.record(
        business.developer,
        midnight(first_of_month(today, -3)) + timedelta(days=6, hours=9, minutes=42),
        "update",
        ("connection", contact_centre.id),
        [("webhook_event_url", old, VOICE_URL), ("webhook_timeout_secs", 25, 5)],
        contact_centre.name,
    )


def _monthly_events(events: AuditEvents, first_day: date, today: date) -> Iterator[dict[str, Any]]:
    """Top-ups, profile edits and housekeeping, a few every month."""
    business = events.business
    for month in months_between(first_day, first_of_month(today, 1)):
        rng = random.Random(f"{business.seed}:audit:{month:%Y-%m}")

        def moment(rng: random.Random = rng, month: date = month) -> datetime:
            seconds = rng.randrange(9 * 3600)
            day = month + timedelta(days=rng.randrange(28))
            return datetime.combine(day, time(8), tzinfo=UTC) + timedelta(seconds=seconds)

        yield events.payment(
            business.owner,
            moment(),
            business.uuid(f"payment:{month:%Y-%m}"),
            Decimal(rng.choice((300, 400, 500))).quantize(Decimal("0.01")),
        )
        profile = rng.choice(business.profiles)
        edits: tuple[Change, ...] = (
            ("number_pool_settings.geomatch", False, True),
            ("daily_spend_limit", "25.00", "40.00"),
            ("whitelisted_destinations", ["US"], ["US", "CA"]),
            ("smart_encoding", None, True),
        )
        yield events.record(
            rng.choice((business.operations, business.developer)),
            moment(),
            "update",
            ("messaging_profile", profile.id),
            [rng.choice(edits)],
            profile.name,
        )
        connection = rng.choice(business.connections)
        yield events.record(
            rng.choice((business.developer, business.operations, business.telnyx)),
            moment(),
            "update",
            ("connection", connection.id),
            [rng.choice((("channel_limit", 10, 20), ("inbound.codecs", ["G711U"], ["OPUS"])))],
            connection.name,
        )
        if rng.random() < 0.5:
            name = f"{rng.choice(NUMBER_TAGS)}-{month:%y%m}"
            yield events.record(
                business.developer, moment(), "create", ("api_key", business.uuid(name)), None, name
            )
