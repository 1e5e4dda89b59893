"""Our server, but pacing itself alone: what sharing the pace is measured against."""

from __future__ import annotations

import anyio

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.build import build_server
from telnyx_mcp.server.stdio import serve_stdio
from telnyx_mcp.telnyx.transport import Transport

if __name__ == "__main__":
    settings = Settings()
    anyio.run(
        serve_stdio,
        build_server(settings, transport=Transport(settings.api_key, settings.base_url)),
    )
