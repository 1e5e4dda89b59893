"""What is examined, and what a check says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from telnyx_mcp.server import AccountServer
from telnyx_mcp.settings import Settings
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.tools.services import utc_now


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Works, but somebody may want to know."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `do` says what to do, where something is to be done."""

    check: str
    level: Level
    found: str
    do: str = ""


@dataclass(slots=True)
class Patient:
    """What is examined, and what the checks so far have learnt."""

    settings: Settings
    server: AccountServer
    others: Sequence[str] = ()
    now: Callable[[], datetime] = utc_now
    reached: bool = False
    accepted: bool = False

    @property
    def yesterday(self) -> tuple[date, date]:
        today = self.now().date()
        return today - timedelta(days=1), today

    @property
    def client(self) -> TelnyxClient:
        return self.server.services.client
