"""Telnyx's HTTP API. Knows nothing of MCP."""
