"""An MCP server for a Telnyx account. Not affiliated with Telnyx."""

__version__ = "0.1.0"
