"""A sandbox of the Telnyx API on a real HTTP port, for tests, benchmarks and demos."""

from __future__ import annotations

from telnyx_mcp.sandbox.control import NO_PERMISSIONS_KEY, SANDBOX_KEY, Sandbox, SeenRequest
from telnyx_mcp.sandbox.server import SandboxOptions, run_sandbox, running_sandbox

__all__ = [
    "NO_PERMISSIONS_KEY",
    "SANDBOX_KEY",
    "Sandbox",
    "SandboxOptions",
    "SeenRequest",
    "run_sandbox",
    "running_sandbox",
]
