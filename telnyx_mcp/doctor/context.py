"""What the checks share, and what a check returns."""

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
    """It works, but the user should know about it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `do` says what the user should do; empty if nothing."""

    check: str
    level: Level
    found: str
    do: str = ""


@dataclass(slots=True)
class DoctorContext:
    """The settings that are checked, and what the checks found so far."""

    settings: Settings
    others: Mapping[str, Settings] = field(default_factory=dict)
    now: Callable[[], datetime] = utc_now
    profiles: ConfiguredAccounts | None = None
    """The profiles file, if the settings come from one."""
    clear_pace: bool = False
    """Whether to reopen endpoints that a 429 closed, before anything is tried."""
    key_with: str | None = None
    """The client that asks the user for the key and keeps it, if one does."""
    keyed: Settings = field(init=False)
    """The settings with their key, once it was found."""
    client: TelnyxClient = field(init=False)
    reached: bool = False
    accepted: bool = False

    def __post_init__(self) -> None:
        self.use(self.settings)

    def use(self, keyed: Settings) -> None:
        """Uses these settings, and the key in them, from now on."""
        self.keyed = keyed
        self.client = TelnyxClient(transport_of(keyed, self.now))

    @property
    def yesterday(self) -> tuple[date, date]:
        today = self.now().date()
        return today - timedelta(days=1), today
