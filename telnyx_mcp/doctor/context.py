"""What is examined, and what a check says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from telnyx_mcp.config.profiles import ConfiguredAccounts
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.build import transport_of
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.server_clock import utc_now


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
class DoctorContext:
    """What is examined, and what the checks so far have learnt."""

    settings: Settings
    others: Mapping[str, Settings] = field(default_factory=dict)
    now: Callable[[], datetime] = utc_now
    profiles: ConfiguredAccounts | None = None
    """What the profiles file said, where the settings come from one."""
    clear_pace: bool = False
    """Whether to open what a 429 closed, before anything is tried."""
    keyed: Settings = field(init=False)
    """The settings with their key, as soon as it was found."""
    client: TelnyxClient = field(init=False)
    reached: bool = False
    accepted: bool = False

    def __post_init__(self) -> None:
        self.use(self.settings)

    def use(self, keyed: Settings) -> None:
        """Goes on with these settings, and with the key in them."""
        self.keyed = keyed
        self.client = TelnyxClient(transport_of(keyed, self.now))

    @property
    def yesterday(self) -> tuple[date, date]:
        today = self.now().date()
        return today - timedelta(days=1), today
