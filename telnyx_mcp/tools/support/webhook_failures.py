"""Failed webhook deliveries URL by URL: why they failed, and how many got through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from pydantic import Field

from telnyx_mcp.tools.framework.results import Row
from telnyx_mcp.tools.support.webhook_rows import DeliveryRow

MAX_KINDS = 10
"""Kinds of failures that are listed for one URL, and event types for one kind."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


class FailureKind(Row):
    """Deliveries to one URL that failed in the same way."""

    deliveries: int | None = Field(None, description="How many deliveries failed in this way.")
    part_deliveries: int | None = Field(
        None, description="Instead of deliveries, if not all were read."
    )
    http_status: int | None = Field(None, description="HTTP status of their latest attempts.")
    errors: str | None = Field(None, description="Errors of their latest attempts.")
    first: str | None = Field(None, description="Start of the first of them, RFC 3339.")
    last: str | None = Field(None, description="Start of the last of them, RFC 3339.")
    event_types: dict[str, int] = Field(
        default_factory=dict, description="How many of them by type of event."
    )
    example_id: str | None = Field(
        None, description="Id of the last of them, for telnyx_get_webhook_delivery."
    )


class Counts(Row):
    """How many deliveries there were. `part_...` is the same, where not all were read."""

    sent: int | None = Field(None, description="How many deliveries there were.")
    delivered: int | None = Field(None, description="How many were delivered.")
    failed: int | None = Field(None, description="How many failed in all attempts.")
    delivered_rate: str | None = Field(None, description="Share that was delivered, in percent.")
    part_sent: int | None = Field(None, description="Instead of sent, if not all were read.")
    part_delivered: int | None = Field(
        None, description="Instead of delivered, if not all were read."
    )
    part_failed: int | None = Field(None, description="Instead of failed, if not all were read.")
    part_delivered_rate: str | None = Field(
        None, description="Instead of delivered_rate, if not all were read."
    )


class UrlRow(Counts):
    """One URL with failed deliveries."""

    url: str | None = Field(None, description="URL the deliveries were sent to, without secrets.")
    still_failing: bool | None = Field(
        None, description="Nothing was delivered since the last failure. Absent: not known."
    )
    last_failed: str | None = Field(
        None, description="Start of the last delivery that failed, RFC 3339."
    )
    last_delivered: str | None = Field(
        None, description="Start of the last delivery that arrived, RFC 3339."
    )
    failures: list[FailureKind] = Field(
        description="In which ways deliveries failed, latest first."
    )
    other_failures: int | None = Field(None, description="Failed deliveries of kinds not listed.")


@dataclass(slots=True)
class Traffic:
    """What was sent to one URL, or to all."""

    sent: int = 0
    delivered: int = 0
    failed: int = 0
    last_delivered: str | None = None

    def add(self, delivery: DeliveryRow) -> None:
        self.sent += 1
        self.failed += delivery.status == "failed"
        if delivery.status == "delivered":
            self.delivered += 1
            self.last_delivered = latest(self.last_delivered, delivery.started_at)

    def counts(self, *, whole: bool) -> dict[str, Any]:
        """The counts and the share that was delivered, named `part_...` if not `whole`."""
        prefix = "" if whole else "part_"
        counts: dict[str, Any] = {
            "sent": self.sent,
            "delivered": self.delivered,
            "failed": self.failed,
            "delivered_rate": _rate(self.delivered, self.sent),
        }
        return {prefix + name: value for name, value in counts.items() if value is not None}


@dataclass(slots=True)
class AllTraffic:
    """All deliveries, failed or not, as far as they were read."""

    by_url: dict[str | None, Traffic] = field(default_factory=dict)
    everything: Traffic = field(default_factory=Traffic)
    whole: bool = False
    newest_first: bool = True
    oldest: datetime = _LATEST

    def add(self, delivery: DeliveryRow) -> None:
        self.everything.add(delivery)
        self.by_url.setdefault(delivery.url, Traffic()).add(delivery)
        moment = moment_of(delivery.started_at)
        self.newest_first &= moment <= self.oldest
        self.oldest = min(self.oldest, moment)

    def reaches_back_to(self, moment: datetime) -> bool:
        """Whether every delivery since that moment was read."""
        return self.whole or (self.newest_first and self.oldest <= moment)


def grouped(failed: Iterable[DeliveryRow]) -> dict[str | None, list[list[DeliveryRow]]]:
    """The failed deliveries by URL, and there by HTTP status and errors of their latest attempt."""
    groups: dict[str | None, dict[tuple[Any, ...], list[DeliveryRow]]] = {}
    for row in failed:
        kinds = groups.setdefault(row.url, {})
        kinds.setdefault((row.http_status, row.errors), []).append(row)
    return {url: list(kinds.values()) for url, kinds in groups.items()}


def url_rows(
    failed: Iterable[DeliveryRow], traffic: AllTraffic, *, whole: bool, until_now: bool
) -> list[UrlRow]:
    """A row for each URL with failed deliveries, the one that failed last first.

    `whole` says that `failed` are all of them, `until_now` that the deliveries of this moment were
    asked for too: without them nothing is known about what still fails.
    """
    rows = []
    for url, kinds in grouped(failed).items():
        failures = sorted(
            (_kind(each, whole=whole) for each in kinds),
            key=lambda each: moment_of(each.last),
            reverse=True,
        )
        of_url = traffic.by_url.get(url, Traffic())
        last_failed = failures[0].last
        rows.append(
            UrlRow(
                url=url,
                still_failing=_still_failing(last_failed, of_url, traffic) if until_now else None,
                last_failed=last_failed,
                last_delivered=of_url.last_delivered,
                **of_url.counts(whole=traffic.whole) if of_url.sent else {},
                failures=failures[:MAX_KINDS],
                other_failures=sum(
                    each.deliveries or each.part_deliveries or 0 for each in failures[MAX_KINDS:]
                )
                or None,
            )
        )
    return sorted(rows, key=lambda each: moment_of(each.last_failed), reverse=True)


def _still_failing(last_failed: str | None, of_url: Traffic, traffic: AllTraffic) -> bool | None:
    failed_at = moment_of(last_failed)
    if failed_at == _NEVER:
        return None
    if moment_of(of_url.last_delivered) > failed_at:
        return False
    return True if traffic.reaches_back_to(failed_at) else None


def _kind(deliveries: list[DeliveryRow], *, whole: bool) -> FailureKind:
    in_order = sorted(deliveries, key=lambda each: moment_of(each.started_at))
    event_types = Counter(each.event_type or "unknown" for each in deliveries)
    listed = dict(event_types.most_common(MAX_KINDS))
    if others := len(deliveries) - sum(listed.values()):
        listed["others"] = others
    newest = in_order[-1]
    return FailureKind(
        **{"deliveries" if whole else "part_deliveries": len(deliveries)},
        http_status=newest.http_status,
        errors=newest.errors,
        first=next((each.started_at for each in in_order if each.started_at), None),
        last=newest.started_at,
        event_types=listed,
        example_id=newest.id,
    )


def latest(one: str | None, other: str | None) -> str | None:
    """The later of two times as Telnyx wrote them."""
    return max(one, other, key=moment_of)


def moment_of(text: str | None) -> datetime:
    """The time that Telnyx wrote; the earliest there is for what is not a time."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return _NEVER


def _rate(delivered: int, sent: int) -> str | None:
    """The share in percent, rounded down: only all of them are 100.0%."""
    if not sent:
        return None
    share = Decimal(100 * delivered) / sent
    return f"{share.quantize(Decimal('0.1'), ROUND_DOWN)}%"
