"""Exports of detail records, which may run for hours: `telnyx-account-mcp export`."""
