"""Puts the parts of one replica together: tokens, the MCP server, the pages, health and telemetry."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.request_state import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.team.gate import TeamGate
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.server.build import transport_of
from telnyx_mcp.service.build import Team, build_team_server
from telnyx_mcp.service.challenges import METADATA_PATH, auth_settings, protected
from telnyx_mcp.service.health import Health, keys_known, store_answers
from telnyx_mcp.service.loading import Loaded
from telnyx_mcp.service.notices.delivery import Delivery, Outbox, Webhook
from telnyx_mcp.service.pages.app import Pages
from telnyx_mcp.service.pages.sessions import Sessions
from telnyx_mcp.service.pages.sign_in import SignIn
from telnyx_mcp.service.run import Replica
from telnyx_mcp.service.telemetry.calls import PATH, note_call
from telnyx_mcp.service.telemetry.exporting import telemetry
from telnyx_mcp.service.telemetry.ledger_counts import counting
from telnyx_mcp.service.tokens.claims import person_of
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.verifier import ServiceTokens
from telnyx_mcp.storage.clock import DatabaseClock
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.tools import TOOLS

CLOCK_SECONDS = 20.0
"""How often it is looked whether the database's clock has to be read again."""
LOST_SECONDS = 15.0
"""How often it is looked whether another replica left a change without an outcome."""
_CHANGING = frozenset(each.name for each in TOOLS if each.changes)

_logger = logging.getLogger(__name__)


def replica_of(loaded: Loaded) -> Replica:
    """One replica, ready to be served. Opens the database, and raises `StoreError` if it can't."""
    config, secrets = loaded.config, loaded.secrets
    for each in loaded.notes:
        _logger.warning("%s", each)
    store = Store(secrets.state_url.get_secret_value())
    now = DatabaseClock(store)
    now.read()
    watched = telemetry(os.environ, counting(store, now))
    tokens = ServiceTokens(config.issuer, config.resource, secrets.introspection)
    team = Team(
        config.public_url,
        lambda: _caller(config.issuer),
        lambda: loaded.roles.roles,
        config.approval.proposal_lifetime,
        announces=secrets.notice_url is not None,
    )
    server = build_team_server(
        loaded.settings,
        team,
        store,
        now,
        RequestStateSecurity(keys=secrets.service.keys("request-state")),
        transport_of(loaded.settings, now, watched.metrics, _logger.warning),
    )
    server.mcp.middleware.append(note_call)
    mcp = server.mcp.streamable_http_app(
        stateless_http=True,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=config.allowed_hosts,
            allowed_origins=config.allowed_origins,
        ),
        auth=auth_settings(tokens),
        token_verifier=tokens,
    )
    pages = Pages(
        server.gate,
        Sessions(store, secrets.service.keys("sessions"), now),
        SignIn(config.issuer.url, config.sign_in, secrets.sign_in, config.public_url),
        config.public_url,
        secrets.service.keys("pages"),
        now,
        asks_issuer=config.sign_in.groups_from == "userinfo",
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with mcp.router.lifespan_context(mcp), anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_time, now)
            if secrets.notice_url:
                webhook = Webhook(secrets.notice_url, secrets.notice)
                outbox = Outbox(store, now)
                gate = server.gate
                delivery = Delivery(
                    outbox, webhook, config.notices, gate.check, gate.directions.link, now
                )
                tasks.start_soon(delivery.run)
                tasks.start_soon(_announce_lost, gate)
            yield
            tasks.cancel_scope.cancel()
        await tokens.aclose()
        watched.close()
        store.close()

    app = _Routes(protected(mcp, tokens, _CHANGING), pages.app(), Starlette(lifespan=lifespan))
    health = Health({"store": store_answers(store), "issuer": keys_known(tokens.issuer)})
    return Replica(
        app,
        server.mcp,
        health,
        watched,
        loaded.roles.reload,
        config.listen,
        config.metrics_listen,
        config.drain_seconds,
    )


def _caller(issuer: IssuerConfig) -> Person:
    """Who sent the present request."""
    token = get_access_token()
    if token is None:
        raise RuntimeError("a request without a token has reached the server")
    return person_of(token, issuer)


async def _keep_time(clock: DatabaseClock) -> None:
    """Reads the database's clock again when it is due; goes on with the last reading while it can't."""
    while True:
        await anyio.sleep(CLOCK_SECONDS)
        if clock.is_due:
            try:
                await anyio.to_thread.run_sync(clock.read)
            except StoreError as error:
                _logger.warning("the database's clock can't be read: %s", error)


async def _announce_lost(gate: TeamGate) -> None:
    """Announces changes whose replica ended before it recorded an outcome."""
    while True:
        await anyio.sleep(LOST_SECONDS)
        try:
            await gate.announce_lost()
        except NotAllowed as error:
            _logger.warning("changes without an outcome can't be looked for: %s", error.reason)


class _Routes:
    """MCP and its metadata on one side, the pages on the other."""

    def __init__(self, mcp: ASGIApp, pages: ASGIApp, lifespan: ASGIApp) -> None:
        self._mcp = mcp
        self._pages = pages
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            app = self._lifespan
        elif scope["path"] == PATH or scope["path"].startswith(METADATA_PATH):
            app = self._mcp
        else:
            app = self._pages
        await app(scope, receive, send)
