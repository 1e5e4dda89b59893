"""Usage reports: detail records added up by product, with the quirks that Telnyx's have."""

from __future__ import annotations

from telnyx_mcp.sandbox.usage.reports import UsageReports

__all__ = ["UsageReports"]
