"""Detail records of all 21 record types: made from the seed one at a time, and searched."""

from __future__ import annotations

from telnyx_mcp.sandbox.records.kinds import KINDS, Kind
from telnyx_mcp.sandbox.records.search import DetailRecords

__all__ = ["KINDS", "DetailRecords", "Kind"]
