"""Asks the person on a page in their browser, opened by this server and never shown to the model.

The link carries a secret. It reaches the browser through a file that only this user can read, as
whatever a browser is started with stands in the process list for everyone.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from telnyx_mcp.approval.changes import LIFETIME, Change
from telnyx_mcp.approval.thread import in_thread

if TYPE_CHECKING:
    from telnyx_mcp.approval.channels.page_server import PageServer
    from telnyx_mcp.approval.ledger import Ledger

OpenFile = Callable[[Path], bool]
"""Opens a file in the person's browser; False if it can't."""

OPENED_WITHIN = 5.0
LOADED_WITHIN = timedelta(seconds=20)
"""A page that was not loaded by then is taken for not open: some openers fail without saying so."""
_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
_FORWARDING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}">
<title>telnyx-account-mcp</title>
<p><a href="{link}">Go on to the question of telnyx-account-mcp</a></p>
</html>
"""


@dataclass(slots=True)
class _Opened:
    """One page: the directory with its file, what deletes that in the end, and how far it came."""

    directory: Path
    timer: threading.Timer
    since: datetime
    loaded: bool = False


class BrowserPages:
    """The pages of one process, on one port that is opened with the first of them."""

    def __init__(self, now: Callable[[], datetime], open_file: OpenFile | None = None) -> None:
        self._now = now
        self._open_file = open_file
        self._lock = threading.Lock()
        self._server: PageServer | None = None
        self._open: dict[str, _Opened] = {}

    async def show(self, change: Change, ledger: Ledger) -> bool:
        """Whether a page with this question is open, or was already. Raises `NotAllowed`."""
        return await in_thread(self._show, change, ledger)

    def close(self) -> None:
        """Closes the port, within seconds, and deletes the files. A later question opens it again."""
        with self._lock:
            server, self._server = self._server, None
            if server:
                server.stop()
            for change_id in list(self._open):
                self._forget(change_id)

    def _show(self, change: Change, ledger: Ledger) -> bool:
        open_file = self._open_file or persons_browser()
        if open_file is None:
            return False
        with self._lock:
            if known := self._open.get(change.id):
                return known.loaded or self._now() - known.since < LOADED_WITHIN
            try:
                server = self._serving(ledger)
                secret = secrets.token_urlsafe(32)
                ledger.set_secret(change.id, secret)
                link = f"http://{server.authority}/change/{change.id}/{secret}"
                opened = open_file(self._private_file(change.id, link))
            except (OSError, subprocess.SubprocessError):
                opened = False
            if not opened:
                self._forget(change.id)
            return opened

    def _serving(self, ledger: Ledger) -> PageServer:
        if self._server is None:
            from telnyx_mcp.approval.channels.page_server import PageServer

            server = PageServer(ledger, self._now, self._loaded)
            server.start()
            self._server = server
        self._server.ledger = ledger
        return self._server

    def _private_file(self, change_id: str, link: str) -> Path:
        """A file that forwards to the link, readable for this user only, in a directory of its own."""
        directory = Path(tempfile.mkdtemp(prefix="telnyx-account-mcp-", dir=_snap_directory()))
        timer = threading.Timer(LIFETIME.total_seconds(), self._forget, [change_id])
        timer.daemon = True
        timer.start()
        self._open[change_id] = _Opened(directory, timer, self._now())
        file = directory / "approve.html"
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(_FORWARDING.format(link=link), encoding="utf-8")
        return file

    def _loaded(self, change_id: str) -> None:
        """Deletes the file of a page that the browser has."""
        if opened := self._open.get(change_id):
            opened.loaded = True
            shutil.rmtree(opened.directory, ignore_errors=True)

    def _forget(self, change_id: str) -> None:
        """Deletes what is left of a page that is too old, or never opened."""
        if opened := self._open.pop(change_id, None):
            opened.timer.cancel()
            shutil.rmtree(opened.directory, ignore_errors=True)


def persons_browser() -> OpenFile | None:
    """What opens a file in the person's browser; None where there is no screen."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in screens):
        return open_in_browser
    return None


def open_in_browser(file: Path) -> bool:
    """Opens the file as the standard library would, in a process of its own.

    A browser started from here would inherit stdout and write to it, where the protocol is spoken.
    Without TERM no text browser is taken, which would open in nobody's view.
    """
    environment = {name: value for name, value in os.environ.items() if name != "TERM"}
    command = [sys.executable, "-I", "-c", _OPEN, file.as_uri()]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter
            command,
            check=False,
            env=environment,
            timeout=OPENED_WITHIN,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return True  # it waits for the browser to be closed
    return done.returncode == 0


def _snap_directory() -> Path | None:
    """The one place that a browser installed as a snap, Ubuntu's default, reads files from."""
    snaps = Path.home() / "snap"
    if not sys.platform.startswith("linux") or not snaps.is_dir():
        return None
    command = ["xdg-settings", "get", "default-web-browser"]
    try:
        desktop = subprocess.run(  # noqa: S603 - a fixed command
            command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=2,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    name, underscore, _ = desktop.strip().partition("_")
    own = snaps / name / "common"
    return own if underscore and own.is_dir() else None
