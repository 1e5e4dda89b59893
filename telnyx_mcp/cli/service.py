"""`service`: the server for a team, over HTTP, for people who sign in.

Replicas of it share one PostgreSQL and are configured by one file; docs/service.md describes both.
`service --check` reads the file, the settings and the secrets, and prints what would be served.
`service health` asks the replica on this machine whether it is alive.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from telnyx_mcp.cli.errors import NOT_DONE, WRONGLY_CALLED, CommandError
from telnyx_mcp.cli.terminal import Terminal

if TYPE_CHECKING:
    from telnyx_mcp.service.config import ServiceConfig
    from telnyx_mcp.service.loading import Loaded

CONFIG = "service.toml"
NEEDED = ("psycopg", "joserfc", "authlib", "itsdangerous", "opentelemetry.sdk", "prometheus_client")
"""A module of each package of the extra `service`."""
HEALTH_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", nargs="?", choices=["health"], help="ask the replica that runs here")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, default=Path(CONFIG), help=f"the file ({CONFIG})"
    )
    parser.add_argument(
        "--check", action="store_true", help="check everything, print it, and serve nothing"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Serves until SIGTERM; or checks, or asks. 0 if that was done."""
    if missing := [each for each in NEEDED if not _is_there(each)]:
        raise CommandError(
            f"the service needs packages that are not installed ({', '.join(missing)}). Install "
            "telnyx-account-mcp again from its clone, with its extra: pip install '.[service]'"
        )
    if options.act == "health":
        return _ask_health(options.config, terminal)
    if options.check:
        return _check(options.config, terminal)
    return _serve(options.config)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def _loaded(file: Path) -> Loaded:
    from telnyx_mcp.service.config_errors import ConfigError
    from telnyx_mcp.service.loading import load

    try:
        return load(file, os.environ)
    except ConfigError as error:
        listed = "\n".join(f"  {each.removesuffix('.')}." for each in error.problems)
        raise CommandError(f"the service can't be started:\n{listed}", WRONGLY_CALLED) from None


def _serve(file: Path) -> int:
    import anyio

    from telnyx_mcp.cli.ports import check_port
    from telnyx_mcp.process.leaving import leave
    from telnyx_mcp.service.app import replica_of
    from telnyx_mcp.service.run import serve
    from telnyx_mcp.service.telemetry.logs import log_to
    from telnyx_mcp.storage.store import StoreError

    loaded = _loaded(file)
    check_port(*loaded.config.listen, "listen")
    if loaded.config.metrics_listen:
        check_port(*loaded.config.metrics_listen, "metrics_listen")
    log_to()

    async def run_replica() -> None:
        await serve(replica_of(loaded))

    try:
        anyio.run(run_replica)
    except StoreError as error:
        raise CommandError(f"the service can't be started. {error}", NOT_DONE) from None
    except SystemExit:  # uvicorn, where the lifespan could not begin
        raise CommandError(
            "the service could not be started. Its last log lines say why.", NOT_DONE
        ) from None
    leave()  # a thread may still wait for a database that is gone


def _ask_health(file: Path, terminal: Terminal) -> int:
    from telnyx_mcp.service.config import read_config
    from telnyx_mcp.service.config_errors import ConfigError

    try:
        host, port = read_config(file, os.environ).listen
    except ConfigError as error:
        raise CommandError(str(error)) from None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not opened
    connection = HTTPConnection(host, port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise CommandError(f"no replica answers on port {port} ({error}).", NOT_DONE) from None
    finally:
        connection.close()
    if status != 200:
        raise CommandError(f"the replica on port {port} answered {status}.", NOT_DONE)
    terminal.say("alive")
    return 0


def _check(file: Path, terminal: Terminal) -> int:
    from rich.text import Text

    from telnyx_mcp.cli.tables import rows_of

    loaded = _loaded(file)
    config = loaded.config
    for name, text in _facts(loaded):
        terminal.say(f"{name:<15}{text}")
    terminal.say("")
    rows = [{column: Text(cell) for column, cell in row.items()} for row in _roles(config)]
    terminal.show(*rows_of(rows, terminal.width()))
    terminal.say("")
    for text in _approvals(config):
        terminal.say(text)
    for each in loaded.notes:
        terminal.say(each, "yellow")
    return 0


def _facts(loaded: Loaded) -> Iterator[tuple[str, str]]:
    from telnyx_mcp.service.telemetry.tracing import traces_to
    from telnyx_mcp.storage.url import database_at

    config, secrets, settings = loaded.config, loaded.secrets, loaded.settings
    yield "MCP", config.resource
    yield "changes", f"{config.public_url}/changes"
    yield "listens on", f"{config.listen}; /livez and /readyz are there too"
    where = config.metrics_listen
    yield "metrics", f"http://{where}/metrics" if where else "nowhere"
    yield "traces", traces_to(os.environ) or "nowhere: OTEL_EXPORTER_OTLP_ENDPOINT is not set"
    yield "issuer", f"{config.issuer.url}, for tokens whose audience is {config.audience}"
    yield "sign-in", f"as the client {config.sign_in.client_id}"
    yield "database", database_at(secrets.state_url.get_secret_value()).place
    yield "Telnyx", settings.base_url
    caps = [
        f"{amount} {what}"
        for amount, what in (
            (settings.max_payment, "each"),
            (settings.max_per_day, "in 24 hours"),
            (settings.max_per_30_days, "in 30 days"),
        )
    ]
    yield "payments", "none: read-only" if settings.read_only else f"at most {', '.join(caps)}"
    kinds = ", ".join(config.notices.kinds)
    amounts = "with amounts" if config.notices.with_amounts else "without amounts"
    yield "notices", f"{kinds}; {amounts}" if secrets.notice_url else "none"
    yield "stop", f"drains {config.drain_seconds:g} s after SIGTERM"


def _roles(config: ServiceConfig) -> Iterator[dict[str, str]]:
    for name, role in sorted(config.roles.items()):
        members = [f"group {each}" for each in role.groups] + list(role.people)
        yield {
            "role": name,
            "members": ", ".join(members),
            "reads": "yes" if role.read else "no",
            "proposes": "yes" if role.propose else "no",
            "at_most": str(role.max_payment or "account's cap") if role.propose else "",
            "a_day": str(role.max_per_day or "account's cap") if role.propose else "",
            "approves_others_up_to": str(role.approve_up_to or "nothing"),
            "own_up_to": str(role.self_approve_up_to or "nothing"),
        }


def _approvals(config: ServiceConfig) -> Iterator[str]:
    """Who may approve which amounts, and how many of them it takes."""
    roles = config.team
    above = roles.two_approvers_above
    limits = {role.approve_up_to for role in roles.roles.values()}
    highest = max(limits, default=Decimal(0))
    steps = sorted({*limits, min(above or highest, highest)} - {Decimal(0)})
    for lower, upper in pairwise([Decimal(0), *steps]):
        number = "two" if roles.approvers_needed(upper) == 2 else "one"
        yield f"above {lower}, up to {upper}: {number} of {roles.who_approves(upper)}"
    yield f"Payments above {highest} are approved by nobody." if steps else "Nobody approves."
    lifetime = config.approval.proposal_lifetime
    yield f"A change waits {lifetime.total_seconds() / 3600:g} hours for its approval."
