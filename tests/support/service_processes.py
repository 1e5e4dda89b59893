"""Replicas of the service as real processes on one PostgreSQL, and HAProxy in front of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.polling import SECONDS, until
from tests.support.ports import accepts, free_port
from tests.support.server_process import whole

SECRET = "a-made-up-secret-of-the-service-0123456789"
SERVICE_TOML = """\
public_url = "{public_url}"
listen = "127.0.0.1:8080"
drain_seconds = {drain}

[issuer]
url = "{issuer}"

[sign_in]
client_id = "approval-page"

[approval]
two_approvers_above = "400.00"

[roles.readers]
groups = ["everybody"]

[roles.finance]
groups = ["finance"]
propose = true
self_approve_up_to = "50.00"

[roles.treasury]
groups = ["treasury"]
approve_up_to = "500.00"
"""
HAPROXY_CFG = """\
global
    log stderr format raw local0 info
defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    timeout connect 5s
    timeout client 90s
    timeout server 90s
    timeout check 10s
    option redispatch
    retries 3
frontend public
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk GET /readyz
    http-check send hdr Host {host}
    default-server check inter 200ms fall 1 rise 1
{servers}
"""


@dataclass
class Replica:
    """One process of the service."""

    port: int
    metrics_port: int
    environment: Mapping[str, str]
    config: Path
    process: asyncio.subprocess.Process | None = None
    log: Path = field(default=Path())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns once it is ready."""
        listens = {
            "TELNYX_MCP_SERVICE_LISTEN": f"127.0.0.1:{self.port}",
            "TELNYX_MCP_SERVICE_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
        }
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "telnyx_mcp", "service", "--config", str(self.config)),
                env=whole({**self.environment, **listens}),
                stdout=log,
                stderr=log,
            )
        async with httpx2.AsyncClient(verify=False, timeout=5) as http:
            async with asyncio.timeout(SECONDS):
                while not await self._is_ready(http):
                    assert self.process.returncode is None, self.log.read_text()[-3000:]
                    await asyncio.sleep(0.05)

    async def _is_ready(self, http: httpx2.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    async def ended(self) -> int:
        """Its exit status."""
        assert self.process
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def stop(self) -> int:
        """Asks it to leave. Its exit status."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        if self.process and self.process.returncode is None:
            self.signal(signal.SIGKILL)
            await self.ended()


@dataclass
class Fleet:
    """The replicas behind one address."""

    public_url: str
    replicas: Sequence[Replica]
    folder: Path

    @property
    def endpoint(self) -> str:
        return f"{self.public_url}/mcp"


@asynccontextmanager
async def fleet(
    sandbox: Sandbox,
    state_url: str,
    issuer_url: str,
    folder: Path,
    *,
    size: int = 2,
    drain: float = 1.0,
    toml: str = SERVICE_TOML,
    environments: Sequence[Mapping[str, str]] = (),
    behind_proxy: bool = True,
) -> AsyncIterator[Fleet]:
    """Replicas that are ready, behind HAProxy, or alone. `environments` are added, one to each."""
    ports = [free_port() for _ in range(size)]
    front = free_port() if behind_proxy else ports[0]
    public_url = f"http://127.0.0.1:{front}"
    config = folder / "service.toml"
    config.write_text(
        toml.format(public_url=public_url, issuer=issuer_url, drain=drain), encoding="utf-8"
    )
    environment = {
        "TELNYX_API_KEY": sandbox.key,
        "TELNYX_BASE_URL": sandbox.base_url,
        "TELNYX_MCP_STATE_URL": state_url,
        "TELNYX_MCP_SERVICE_SECRET": SECRET,
        "TELNYX_MCP_SIGN_IN_SECRET": "a-made-up-secret-of-the-pages",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    replicas = [
        Replica(
            port,
            free_port(),
            {**environment, **(environments[number] if number < len(environments) else {})},
            config,
            log=folder / f"replica-{number}.log",
        )
        for number, port in enumerate(ports)
    ]
    async with AsyncExitStack() as stack:
        for each in replicas:
            stack.push_async_callback(each.kill)
        await asyncio.gather(*(each.start() for each in replicas))
        if behind_proxy:
            await stack.enter_async_context(_haproxy(front, ports, public_url, folder))
        yield Fleet(public_url, replicas, folder)


@asynccontextmanager
async def _haproxy(
    port: int, replicas: Sequence[int], public_url: str, folder: Path
) -> AsyncIterator[None]:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no HAProxy here")
    servers = "\n".join(
        f"    server replica{number} 127.0.0.1:{each}" for number, each in enumerate(replicas)
    )
    config = folder / "haproxy.cfg"
    host = public_url.removeprefix("http://")
    config.write_text(HAPROXY_CFG.format(port=port, servers=servers, host=host), encoding="utf-8")
    with (folder / "haproxy.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(program, "-db", "-f", str(config)), stdout=log, stderr=log
        )
    try:
        await accepts(port)
        async with httpx2.AsyncClient(verify=False, timeout=5) as http:
            await until_healthy(http, public_url)
        yield
    finally:
        process.terminate()
        await process.wait()


async def until_healthy(http: httpx2.AsyncClient, url: str) -> None:
    """Returns once a replica answers behind this address."""
    async with asyncio.timeout(SECONDS):
        while (await http.get(f"{url}/livez")).status_code != 200:
            await asyncio.sleep(0.05)


async def log_has(replica: Replica, text: str) -> None:
    """Returns once the replica has logged this."""
    await until(lambda: text in replica.log.read_text(encoding="utf-8"))
