"""Our server without the front: the MCP SDK is imported at the start."""

from __future__ import annotations

from telnyx_mcp.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main(["serve"]))
