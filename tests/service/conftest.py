"""An issuer, and the MCP server behind the challenges, each behind a real port."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.service.challenges import auth_settings, protected
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.fetching import IssuerHttp
from telnyx_mcp.service.tokens.verifier import ServiceTokens
from telnyx_mcp.tools import TOOLS
from tests.service.issuer import INTROSPECTION_SECRET, Issuer, running_issuer
from tests.support.polling import until
from tests.support.postgresql_cluster import Cluster, running_cluster

CHANGING = frozenset(each.name for each in TOOLS if each.changes)


class Clocks:
    """The real time, moved as a test wants."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def clock(self) -> float:
        return time.monotonic() + self.ahead

    def now(self) -> float:
        return time.time()


@dataclass
class Service:
    """The server for a sandbox account behind the challenges."""

    url: str
    tokens: ServiceTokens
    clocks: Clocks
    http: httpx2.AsyncClient = field(
        default_factory=lambda: httpx2.AsyncClient(verify=False, timeout=30)
    )

    async def post(self, message: Any, token: str | None = None, **headers: str) -> httpx2.Response:
        """The answer to this message, or to this body, of a client of revision 2025-11-25."""
        sent = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": "2025-11-25",
            **({"authorization": f"Bearer {token}"} if token is not None else {}),
            **headers,
        }
        body = {"content": message} if isinstance(message, bytes) else {"json": message}
        return await self.http.post(self.url, headers=sent, **body)

    async def list_tools(self, token: str | None = None) -> httpx2.Response:
        return await self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, token)


@asynccontextmanager
async def served(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    """The application on this socket."""
    config = uvicorn.Config(app, lifespan="on", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started or running.done())
    try:
        yield
    finally:
        server.should_exit = True
        await running


def loopback_socket() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@asynccontextmanager
async def running_service(
    server: AccountServer,
    issuer_url: str,
    secret: str | None = None,
    seconds: float = 5.0,
    **config: Any,
) -> AsyncIterator[Service]:
    """The server behind the challenges, for tokens of this issuer."""
    clocks = Clocks()
    with loopback_socket() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        tokens = ServiceTokens(
            IssuerConfig(url=issuer_url, **config),
            url,
            SecretStr(secret) if secret else None,
            now=clocks.now,
            clock=clocks.clock,
            http=IssuerHttp(seconds),
        )
        app = server.streamable_http_app(
            stateless_http=True, auth=auth_settings(tokens), token_verifier=tokens
        )
        service = Service(url, tokens, clocks)
        async with service.http, served(protected(app, tokens, CHANGING), listening):
            yield service
        await tokens.aclose()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as running:
        yield running


@pytest.fixture
async def service(server: AccountServer, issuer: Issuer) -> AsyncIterator[Service]:
    async with running_service(server, issuer.url) as running:
        yield running


@pytest.fixture
async def introspecting(server: AccountServer, issuer: Issuer) -> AsyncIterator[Service]:
    """A service that asks the issuer about tokens that are no JWTs."""
    async with running_service(
        server, issuer.url, INTROSPECTION_SECRET, introspection_client_id="service"
    ) as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of the tests' own."""
    with running_cluster() as running:
        yield running
