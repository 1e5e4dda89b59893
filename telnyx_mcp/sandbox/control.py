"""The sandbox as a Python object: the account, the faults, and the requests so far."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.app import build_app
from telnyx_mcp.sandbox.faults import Fault, Faults
from telnyx_mcp.sandbox.limits import RateLimit, rate_limits
from telnyx_mcp.sandbox.operations import OPERATIONS
from telnyx_mcp.sandbox.records import Count

SANDBOX_KEY = "KEY_SANDBOX"
NO_PERMISSIONS_KEY = "KEY_SANDBOX_NO_PERMISSIONS"
REQUESTS_KEPT = 100_000
HIDDEN_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(slots=True)
class SeenRequest:
    """A request as it came in, without its key; `status` is None while or if unanswered."""

    operation: str
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    status: int | None
    time: float
    """Seconds since the epoch."""

    def as_dict(self) -> dict[str, Any]:
        """The request as JSON data."""
        return asdict(self) | {"body": self.body.decode(errors="replace")}


class RequestLog:
    """The latest requests, and counts of them all."""

    def __init__(self) -> None:
        self.seen: deque[SeenRequest] = deque(maxlen=REQUESTS_KEPT)
        self._statuses: Counter[int | None] = Counter()

    def note(self, request: Request, operation: str, body: bytes, moment: float) -> SeenRequest:
        """Remember a request that has just arrived."""
        seen = SeenRequest(
            operation,
            request.method,
            request.url.path,
            request.query_params.multi_items(),
            {name: value for name, value in request.headers.items() if name not in HIDDEN_HEADERS},
            body,
            None,
            moment,
        )
        self.seen.append(seen)
        return seen

    def answered(self, seen: SeenRequest, status: int | None) -> None:
        """Remember what it was answered."""
        seen.status = status
        self._statuses[status] += 1

    def counts(self) -> dict[str, int]:
        """How many requests were dealt with, by answer: `total`, `unanswered`, `200`, `429`, ..."""
        by_status = {
            "unanswered" if status is None else str(status): count
            for status, count in self._statuses.copy().items()
        }
        return {"total": sum(by_status.values()), **by_status}

    def clear(self) -> None:
        """Forget everything."""
        self.seen.clear()
        self._statuses.clear()


class Sandbox:
    """A sandbox account, with access to its internals for tests. Serve `app` to put it on a port."""

    def __init__(
        self,
        *,
        seed: int = 7,
        today: date | None = None,
        rate_limit: RateLimit = "telnyx",
        records_per_day: Count | None = None,
        records_per_month: Count | None = None,
        latency: float = 0.0,
        key: str = SANDBOX_KEY,
        no_permissions_key: str = NO_PERMISSIONS_KEY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`rate_limit` is requests and seconds of every endpoint, Telnyx's own for each, or none.

        `records_per_day` sets every record type's daily count, or that of the types it names.
        `records_per_month` sets the monthly count of all types together, or that of each type it names;
        ten million are no more work than ten thousand, as they repeat a pattern. `latency` is the
        minimum number of seconds per answer. `clock` gives the rate limits the seconds since the epoch.
        """
        self.key = key
        self.no_permissions_key = no_permissions_key
        self.base_url = ""
        self.account = Account(seed, today, records_per_day, records_per_month)
        self.faults = Faults([each.id for each in OPERATIONS])
        self.latency = self._usual_latency = latency
        self.limit = rate_limits(rate_limit, clock)
        self.log = RequestLog()
        self.app: Starlette = build_app(self)

    @property
    def today(self) -> date:
        """The day the history ends with."""
        return self.account.today

    @property
    def requests(self) -> list[SeenRequest]:
        """Every request so far, oldest first."""
        return list(self.log.seen)

    @property
    def counts(self) -> dict[str, int]:
        """How many requests came, in all and by the status answered."""
        return self.log.counts()

    @property
    def payments(self) -> list[dict[str, Any]]:
        """The transactions that were made, oldest first."""
        return list(self.account.payments)

    @property
    def balance(self) -> Decimal:
        """The account's balance now."""
        return self.account.balance

    @property
    def control_url(self) -> str:
        """Where `/faults`, `/blocks`, `/requests`, `/payments` and `/reset` are."""
        return self.base_url.removesuffix("/v2") + "/_sandbox"

    def fault(self, operation: str, kind: str, **options: Any) -> Fault:
        """Plan a fault for the next request of an operation; options are the fields of `Fault`."""
        return self.faults.add(operation, kind, **options)

    def block(self, product: str, period: str = "daily") -> None:
        """Block a product as if it had gone over its spend limit; `period` is `daily` or `monthly`."""
        self.account.spend_limits.block(product, period)

    def reset(self) -> None:
        """As at the start: no payments, changes, blocks, faults or requests, a fresh rate limit."""
        self.account.reset()
        self.faults.clear()
        self.latency = self._usual_latency
        self.log.clear()
        if self.limit is not None:
            self.limit.reset()
