"""Detail records of all 21 record types: made from the seed one at a time, and searched."""

from __future__ import annotations

from telnyx_mcp.sandbox.records.history import History
from telnyx_mcp.sandbox.records.kinds import KINDS, Kind
from telnyx_mcp.sandbox.records.search import DetailRecords
from telnyx_mcp.sandbox.records.volume import Count, Volume

__all__ = ["KINDS", "Count", "DetailRecords", "History", "Kind", "Volume"]
