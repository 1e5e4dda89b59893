"""What tools work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.telnyx.names import NameCache
from telnyx_mcp.telnyx.server_clock import utc_now
from telnyx_mcp.telnyx.transport import Transport
from telnyx_mcp.tools.support.spend_limits import SpendLimitCache

LARGEST_FILE = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Services:
    """What tools work with; one of each per account."""

    transport: Transport
    gate: Gate
    now: Callable[[], datetime] = utc_now
    zone: tzinfo = UTC
    """The zone whose days count."""
    export_dir: Path | None = None
    """Where files may be written."""
    account: str | None = None
    """The account's name, where the user gave it one."""
    changes_blocked: str | None = None
    """Why this server changes nothing, in sentences; None if it may."""
    names: NameCache = field(default_factory=NameCache)
    """What ids stand for: e-mail addresses of users, names of connections, profiles, billing groups."""
    spend_limits: SpendLimitCache = field(default_factory=SpendLimitCache)
    largest_file: int = LARGEST_FILE
    """Bytes after which a file in `export_dir` ends."""

    async def aclose(self) -> None:
        await self.transport.aclose()
        self.gate.close()
