"""Exports of detail records that run for as long as they must: `telnyx-account-mcp export`."""
