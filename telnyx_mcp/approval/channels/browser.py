"""Asks the approver on a page in their browser. The model never sees its address.

The link carries a secret. It reaches the browser through a file that only this user can read, because
command lines are visible to every user in the process list.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from telnyx_mcp.approval.change import LIFETIME, Change, State
from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.config.paths import home

if TYPE_CHECKING:
    from telnyx_mcp.approval.channels import Check
    from telnyx_mcp.approval.ledger import Ledger
    from telnyx_mcp.approval.page.server import PageServer

OpenFile = Callable[[Path], bool]
"""Opens a file in the user's browser; False if it can't."""

CheckFromThread = Callable[[str], Change | None]

OPENED_WITHIN = 5.0
LOADED_WITHIN = timedelta(seconds=20)
"""A page not loaded by then counts as not open: some openers fail silently."""
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


CHECKED_WITHIN = 10.0
"""How long a page waits for the check whether its question is still true."""
MAX_PAGES = 100
"""Pages that stay open as receipts; older ones are forgotten."""


@dataclass(slots=True)
class _Opened:
    """One page: its secret, the directory with its file and the timer that deletes it, when it was opened,
    how to check whether its question is still true, and whether the browser loaded it."""

    secret: str
    directory: Path
    timer: threading.Timer
    since: datetime
    check: CheckFromThread
    loaded: bool = False


class BrowserPages:
    """The pages of one process, on one port that is opened with the first of them."""

    def __init__(
        self,
        now: Callable[[], datetime],
        open_file: OpenFile | None = None,
        *,
        lifetime: timedelta = LIFETIME,
    ) -> None:
        """The file that leads to a page is deleted after `lifetime` at the latest."""
        self._now = now
        self._open_file = open_file
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._server: PageServer | None = None
        self._open: dict[str, _Opened] = {}

    async def show(self, change: Change, ledger: Ledger, check: Check | None = None) -> bool:
        """Whether a page of this change is open, or was already. `check` runs in this event loop when
        the page is shown or answered, for as long as the loop runs. Raises `NotAllowed`."""
        return await in_thread(self._show, change, ledger, _from_thread(check))

    def opens(self, change_id: str, secret: str) -> bool:
        """Whether this is the secret of the change's page."""
        page = self._open.get(change_id)
        return page is not None and secrets.compare_digest(page.secret, secret)

    def check(self, change_id: str) -> Change | None:
        """The change as it stands, or the one with a fresh question that replaces it, which then has
        the same page. None if this can't be checked now; raises `NotAllowed`."""
        page = self._open.get(change_id)
        if page is None:
            return None
        change = page.check(change_id)
        if change is not None:
            with self._lock:
                if self._open.get(change_id) is page:  # not forgotten meanwhile
                    self._open.setdefault(change.id, page)
        return change

    def loaded(self, change_id: str) -> None:
        """Deletes the file of a page that the browser has."""
        if page := self._open.get(change_id):
            page.loaded = True
            page.timer.cancel()
            shutil.rmtree(page.directory, ignore_errors=True)

    def close(self) -> None:
        """Closes the port, within seconds, and deletes the files. A later question opens it again."""
        with self._lock:
            server, self._server = self._server, None
            if server:
                server.stop()
            for change_id in list(self._open):
                self._forget(change_id)

    def _show(self, change: Change, ledger: Ledger, check: CheckFromThread) -> bool:
        open_file = self._open_file or users_browser()
        if open_file is None:
            return False
        with self._lock:
            known = self._open.get(change.id)
            if known and not self._is_stale(known, change):
                return known.loaded or self._now() - known.since < LOADED_WITHIN
            try:
                server = self._serving(ledger)
                opened = open_file(self._private_file(change.id, server.authority, check))
            except (OSError, subprocess.SubprocessError):
                opened = False
            if not opened:
                self._forget(change.id)
            return opened

    def _is_stale(self, page: _Opened, change: Change) -> bool:
        """Whether the user left the page long ago, and has to answer there now."""
        old = self._now() - page.since >= LOADED_WITHIN
        return change.state is State.UNKNOWN and page.loaded and old

    def _serving(self, ledger: Ledger) -> PageServer:
        if self._server is None:
            from telnyx_mcp.approval.page.server import PageServer

            server = PageServer(ledger, self._now, self)
            server.start()
            self._server = server
        self._server.ledger = ledger
        return self._server

    def _private_file(self, change_id: str, authority: str, check: CheckFromThread) -> Path:
        """A file that forwards to the page, readable for this user only, in a directory of its own."""
        secret = secrets.token_urlsafe(32)
        link = f"http://{authority}/change/{change_id}/{secret}"
        directory = Path(tempfile.mkdtemp(prefix="telnyx-account-mcp-", dir=_snap_directory()))
        lifetime = self._lifetime.total_seconds()
        timer = threading.Timer(lifetime, shutil.rmtree, [directory], {"ignore_errors": True})
        timer.daemon = True
        timer.start()
        for oldest in list(self._open)[: max(0, len(self._open) - MAX_PAGES)]:
            self._forget(oldest)
        self._open[change_id] = _Opened(secret, directory, timer, self._now(), check)
        file = directory / "approve.html"
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(_FORWARDING.format(link=link), encoding="utf-8")
        return file

    def _forget(self, change_id: str) -> None:
        """Deletes what is left of a page that is too old, or never opened."""
        if opened := self._open.pop(change_id, None):
            opened.timer.cancel()
            shutil.rmtree(opened.directory, ignore_errors=True)


def _from_thread(check: Check | None) -> CheckFromThread:
    """The same check for another thread, which waits for its result in this event loop. None where
    the check can't be made any more; raises `NotAllowed`."""
    loop = asyncio.get_running_loop()

    def checked(change_id: str) -> Change | None:
        if check is None or loop.is_closed():
            return None
        checking = check(change_id)
        try:
            future: Future[Change] = asyncio.run_coroutine_threadsafe(checking, loop)
        except RuntimeError:  # the loop was closed meanwhile
            checking.close()
            return None
        try:
            return future.result(CHECKED_WITHIN)
        except NotAllowed:
            raise
        except Exception:  # noqa: BLE001 - checked again, strictly, before anything is sent
            future.cancel()
            return None

    return checked


def users_browser() -> OpenFile | None:
    """What opens a file in the user's browser; None where there is no screen."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in screens):
        return open_in_browser
    return None


def open_in_browser(file: Path) -> bool:
    """Opens the file as the standard library would, in a process of its own.

    A browser started from here would inherit stdout, which carries the protocol, and write to it.
    Without TERM no text browser is chosen, which nobody would see.
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
    snaps = home() / "snap"
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
