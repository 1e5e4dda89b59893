"""What every test may ask for: a clean environment, a sandbox, a server and a client of it.

Two stand-ins for Telnyx, both behind a real port: `sandbox`, an account that agrees with itself,
for what people do; `scripted`, which answers byte for byte as told, for what goes wrong.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp_types import CallToolResult
from pydantic import SecretStr

from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.config import profiles
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import Store
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import InMemoryStore
from telnyx_mcp.telnyx.transport import Transport

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from telnyx_mcp.sandbox import Sandbox

hypothesis_settings.register_profile(
    "same every time",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("same every time")

TODAY = date(2026, 6, 15)
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
KEY = "KEYtests0123456789abcdefSECRET"
SECONDS = 30
"""No test takes longer than this between two steps."""

Mode = Literal["legacy", "auto"]
REVISIONS: tuple[Mode, ...] = ("legacy", "auto")
"""The protocol revisions 2025-11-25 and 2026-07-28, as the client names them."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, a profile or a proxy of whoever runs the tests has no part in them."""
    for name in list(os.environ):
        screens = ("DISPLAY", "WAYLAND_DISPLAY")  # on which a page would really be opened
        if name.startswith("TELNYX") or name.lower().endswith("_proxy") or name in screens:
            monkeypatch.delenv(name)
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(Path(os.devnull) / "none"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def hears_hang_ups() -> Iterator[None]:
    """Processes that a test starts do not ignore SIGHUP, though whoever runs the tests may."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(params=REVISIONS)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Both protocol revisions, one after the other."""
    chosen: Mode = request.param
    return chosen


# --- a client of the server ----------------------------------------------------------------------


@asynccontextmanager
async def connected(
    server: AccountServer, mode: Mode = "auto", elicitation: ElicitationFnT | None = None
) -> AsyncIterator[Client]:
    """A real client in memory, bounded in time. It compares every answer with the tool's published
    output schema, and fails the test if the answer does not fit."""
    with anyio.fail_after(SECONDS):
        async with Client(server, mode=mode, elicitation_callback=elicitation) as client:
            yield client


async def call(
    server: AccountServer,
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    mode: Mode = "auto",
) -> CallToolResult:
    """The result of one call by a client that comes for it and goes."""
    async with connected(server, mode) as client:
        return await client.call_tool(tool, dict(arguments or {}))


def text_of(result: CallToolResult) -> str:
    """All text of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def content_of(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a result that is no error."""
    assert not result.is_error, text_of(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content


# --- the sandbox ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _one_sandbox() -> Iterator[Sandbox]:
    from telnyx_mcp.sandbox import running_sandbox

    with running_sandbox(today=TODAY, rate_limit=None, records_per_day=20) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_one_sandbox: Sandbox) -> Sandbox:
    """A sandbox account as new, on `TODAY`, with few detail records and without a rate limit."""
    _one_sandbox.reset()
    return _one_sandbox


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    """The settings of a server for the sandbox."""
    return Settings(
        api_key=SecretStr(sandbox.key),
        base_url=sandbox.base_url,
        state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
    )


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[AccountServer]:
    """A server for the sandbox, on the sandbox's day."""
    built = build_server(settings, now=lambda: NOW)
    yield built
    await built.accounts.aclose()


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of `server`, as another process of the same user opens it."""
    with closing(open_ledger(settings)) as opened:
        yield opened


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """The file of the ledger, as any program of the user opens it."""
    assert settings.state_url
    with closing(Store(settings.state_url.get_secret_value())) as opened:
        yield opened


# --- a Telnyx that answers as told ---------------------------------------------------------------

TLS_HANDSHAKE = b"\x16"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Scripted:
    """Answers each request with the next of `answers`; the last one again and again."""

    base_url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    connections: int = 0

    def will(self, *answers: Answer) -> Scripted:
        self.answers = list(answers)
        return self

    def will_answer(self, body: Any, **more: Any) -> Scripted:
        return self.will(answer(200, body, **more))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while first_byte := await reader.read(1):
                if first_byte == TLS_HANDSHAKE:
                    writer.write(b"HTTP/1.1 400 This port speaks no TLS\r\n\r\n")
                    return
                head = first_byte + await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                method, target, _ = first.split(" ", 2)
                pairs = (line.split(":", 1) for line in lines)
                headers = {name.strip().lower(): value.strip() for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                number = len(self.requests)
                self.requests.append(Asked(method, target, headers, body))
                await self.answers[min(number, len(self.answers) - 1)](writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int, body: Any = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """A whole answer; a body that is not bytes goes out as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"content-type": "application/json", "content-length": str(len(content))}
    lines = [f"{name}: {value}" for name, value in (head | dict(headers or {})).items()]
    return raw(f"HTTP/1.1 {status} Told\r\n{chr(10).join(lines)}\r\n\r\n".encode() + content)


def complaint(
    status: int, code: str = "10015", headers: Mapping[str, str] | None = None, **more: Any
) -> Answer:
    """An answer with Telnyx's error body."""
    entry = {"code": code, "title": "A title", "detail": "A detail.", **more}
    return answer(status, {"errors": [entry]}, headers)


def raw(content: bytes) -> Answer:
    """Exactly these bytes."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    return send


def hang_up(after: bytes = b"") -> Answer:
    """These bytes, if any, and the end of the connection."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        writer.close()

    return send


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Nothing, for as long as the connection lasts."""
    await asyncio.Event().wait()


def drip(piece: bytes = b" ", every: float = 0.01) -> Answer:
    """A head at once, and a body that never ends, a piece at a time."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return send


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    """A Telnyx that answers as told, behind a real port."""
    told = Scripted()
    listening = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v2"
    yield told
    listening.close()


# --- time ----------------------------------------------------------------------------------------


@dataclass
class Time:
    """A clock that only sleeping moves on."""

    at: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def pacer(self) -> Pacer:
        return Pacer(own=InMemoryStore(self.clock), sleep=self.sleep, clock=self.clock)


@pytest.fixture
def time() -> Time:
    """Simulated time."""
    return Time()


@pytest.fixture
async def transport(scripted: Scripted, time: Time) -> AsyncIterator[Transport]:
    """A transport to the scripted Telnyx, in simulated time, with half of all jitter."""
    made = Transport(
        SecretStr(KEY),
        scripted.base_url,
        clock=time.clock,
        sleep=time.sleep,
        jitter=lambda: 0.5,
    )
    yield made
    await made.aclose()


@pytest.fixture
def client(transport: Transport) -> TelnyxClient:
    """The thirteen operations of the scripted Telnyx."""
    return TelnyxClient(transport)


@pytest.fixture
def scripted_server(scripted: Scripted, transport: Transport, tmp_path: Path) -> AccountServer:
    """A server for the scripted Telnyx, in simulated time."""
    settings = Settings(
        api_key=SecretStr(KEY),
        base_url=scripted.base_url,
        state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
    )
    return build_server(settings, transport=transport, now=lambda: NOW)


# --- a command -----------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with these variables in this process, where no terminal is and stdin is empty: a
    process of its own would take a second to start."""
    from telnyx_mcp.cli.main import main

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        try:
            status = main(arguments)
        except SystemExit as left:  # argparse's way
            status = int(left.code or 0)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, out, err)

    return run


# --- profiles ------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The profiles file in the user's configuration directory."""
    file = tmp_path / "own" / "profiles.toml"
    file.parent.mkdir(mode=0o700)
    file.touch(0o600)
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    monkeypatch.setattr(profiles, "profiles_file", lambda: file)
    return file


# --- a keyring -----------------------------------------------------------------------------------


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[KeyringBackend]:
    """A real keyring that keeps its entries in a file of this test."""
    import keyring as library
    from keyrings.alt.file import PlaintextKeyring

    class InAFile(PlaintextKeyring):  # type: ignore[misc]
        priority = 1  # PlaintextKeyring itself is refused, as what it keeps can be read

    before, backend = library.get_keyring(), InAFile()
    backend.file_path = str(tmp_path / "keyring.cfg")
    library.set_keyring(backend)
    yield backend
    library.set_keyring(before)
