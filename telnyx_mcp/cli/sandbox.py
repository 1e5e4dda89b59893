"""`sandbox`: a sandbox account over HTTP."""

from __future__ import annotations

import argparse
from datetime import date

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.ports import check_port, port_number
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.config.addresses import is_loopback
from telnyx_mcp.sandbox import Sandbox, run_sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=port_number, default=8765, help="0 picks a free one")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another account")
    parser.add_argument("--today", metavar="YYYY-MM-DD", help="the account's today")
    parser.add_argument(
        "--records-per-month", type=int, metavar="N", help="detail records a month, of all types"
    )
    parser.add_argument(
        "--latency",
        type=_milliseconds,
        default=0,
        metavar="MS",
        help="how long an answer takes: 150ms",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Serves until it is stopped. Returns 0."""
    try:
        today = date.fromisoformat(options.today) if options.today else None
    except ValueError:
        raise CommandError(f"--today takes YYYY-MM-DD; got {options.today!r}") from None
    if not is_loopback(options.host):
        raise CommandError(f"--host takes a loopback address; got {options.host!r}")
    check_port(options.host, options.port, "--port")

    def ready(sandbox: Sandbox) -> None:
        terminal.write(
            "A sandbox Telnyx account. To use it:\n"
            f"  export TELNYX_BASE_URL={sandbox.base_url} TELNYX_API_KEY={sandbox.key}\n"
        )

    run_sandbox(
        options.host,
        options.port,
        on_ready=ready,
        seed=options.seed,
        today=today,
        records_per_month=options.records_per_month,
        latency=options.latency / 1000,
    )
    return 0


def _milliseconds(text: str) -> int:
    """Raises `ValueError`."""
    return int(text.removesuffix("ms"))
