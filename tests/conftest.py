"""What every test may ask for: a clean environment, a sandbox, a server and a client of it.

Two stand-ins for Telnyx, both behind a real port: `sandbox`, an account that agrees with itself,
for what people do; `scripted`, which answers byte for byte as told, for what goes wrong.
"""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.config import profiles
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import Store
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import REVISIONS, Mode
from tests.support.clock import NOW, TODAY
from tests.support.command import Run
from tests.support.scripted_telnyx import KEY, Scripted
from tests.support.simulated_time import Time

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: a test often waits for a process, a socket or a thread."""
    return -(-3 * (os.cpu_count() or 1) // 2)


def pytest_collection_finish() -> None:
    """Looks for garbage less often, and no more among the thousands of tests that were collected: that
    was a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, a profile, a proxy or certificates of whoever runs the tests have no part in them."""
    for name in list(os.environ):
        screens = ("DISPLAY", "WAYLAND_DISPLAY")  # on which a page would really be opened
        ours = name.startswith(("TELNYX", "SSL_CERT_")) or name.lower().endswith("_proxy")
        if ours or name in screens:
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


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    """A Telnyx that answers as told, behind a real port."""
    told = Scripted()
    listening = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v2"
    yield told
    listening.close()


# --- time ----------------------------------------------------------------------------------------


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
