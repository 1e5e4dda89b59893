"""Other programs of this computer can't keep the person from the approval page."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import h11
import httpx
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from telnyx_mcp.approval.channels.browser import BrowserPages
from telnyx_mcp.approval.page import bounded
from telnyx_mcp.approval.page.bounded import BoundedProtocol
from telnyx_mcp.approval.page.server import PageServer
from tests.support.approval_page import PAYS, Desk, fetch, open_ledger_in, propose
from tests.support.clock import Clock

SECONDS = 10.0


class Hasty(BoundedProtocol):
    """Drops what is slow sooner."""

    read_seconds = 0.3


class OnePage:
    """The only page that is open, whose question is true."""

    def opens(self, _change_id: str, _secret: str) -> bool:
        return True

    def loaded(self, _change_id: str) -> None:
        return None

    def check(self, _change_id: str) -> None:
        return None


@pytest.fixture
def hasty_link(tmp_path: Path) -> Iterator[str]:
    """A page with the question of a payment, from which requests are dropped after 0.3 s."""
    now, ledger = Clock(), open_ledger_in(tmp_path)
    change = propose(ledger, now)
    server = PageServer(ledger, now, OnePage(), Hasty)
    server.start()
    yield f"http://{server.authority}/change/{change.id}/{'s' * 43}"
    server.stop()
    ledger.close()


@pytest.fixture
def link(tmp_path: Path) -> Iterator[str]:
    """A page with the question of a payment."""
    now, desk = Clock(), Desk()
    ledger = open_ledger_in(tmp_path)
    pages = BrowserPages(now, desk)
    assert anyio.run(pages.show, propose(ledger, now), ledger)
    yield desk.links[0]
    pages.close()
    ledger.close()


def connection(link: str) -> socket.socket:
    url = httpx.URL(link)
    return socket.create_connection((url.host, url.port or 80), SECONDS)


def is_closed(connection: socket.socket, seconds: float = SECONDS) -> bool:
    """Whether the server hung up on it, or does so within the time."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1000) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def dripped(connection: socket.socket, more: Callable[[int], bytes]) -> int:
    """How many bytes are taken, one at a time, before the server hangs up."""
    for count in range(int(SECONDS / 0.02)):
        try:
            connection.sendall(more(count))
        except OSError:
            return count
        if is_closed(connection, 0.02):
            return count
    raise AssertionError("it takes bytes for ever")


HEAD = "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
SLOW = {
    "nothing at all": (b"", lambda _: b""),
    "its head": (b"GET / HTTP/1.1\r\nx: ", lambda _: b"y"),
    "lines of its head": (b"GET / HTTP/1.1\r\n", lambda count: b"x: y\r\n"[count % 6 :][:1]),
    "its body": (b"Content-Length: 3000\r\n\r\n", lambda _: b"a"),
    "pieces of its body": (b"Transfer-Encoding: chunked\r\n\r\n", lambda _: b"1\r\na\r\n"),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_client_that_is_slow_to_send_is_dropped(hasty_link: str, kind: str) -> None:
    first, more = SLOW[kind]
    url = httpx.URL(hasty_link)
    host = f"{url.host}:{url.port}"
    with connection(hasty_link) as slow:
        if "body" in kind:
            slow.sendall(HEAD.format(path=url.path, host=host).encode())
        slow.sendall(first)
        dripped(slow, more)
    assert "120.00" in fetch("GET", hasty_link).text


def test_a_second_request_of_a_connection_is_bounded_too(hasty_link: str) -> None:
    url = httpx.URL(hasty_link)
    with connection(hasty_link) as slow:
        for _ in range(3):
            slow.sendall(f"GET {url.path} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n\r\n".encode())
            while b"</html>" not in slow.recv(100_000):
                pass
        slow.sendall(b"GET / HTTP/1.1\r\nx: ")
        dripped(slow, lambda _: b"y")


@pytest.mark.slow
@pytest.mark.attack(
    "A local program holds connections to the approval page",
    "They are dropped; the user is answered",
)
def test_connections_are_bounded_and_the_person_is_answered_all_the_same(link: str) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            opened = [
                stack.enter_context(connection(link)) for _ in range(bounded.MAX_CONNECTIONS + 20)
            ]
            assert "120.00" in fetch("GET", link).text
            assert [is_closed(each, 1.0) for each in opened[:20]] == [True] * 20, "they make room"
            assert not is_closed(opened[-1], 0.01)
        origin = link.partition("/change/")[0]
        assert "pproved" in fetch("POST", link, data=PAYS, headers={"origin": origin}).text


# --- which connection makes room -------------------------------------------------------------------


class Connection(BoundedProtocol):
    """A connection without a socket, in this state of its request."""

    def __init__(self, among: set[Any], made: float, state: type) -> None:
        self.connections = among
        self.loop = Loop(made)  # type: ignore[assignment]
        self.conn = SimpleNamespace(their_state=state)  # type: ignore[assignment]
        self.aborted = False

    def opens(self) -> None:
        self.connections.add(self)
        self.transport = cast("asyncio.Transport", self)
        self.connection_made(self.transport)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Loop:
    """A clock that stands, and timers that are only counted."""

    def __init__(self, now: float) -> None:
        self.time = lambda: now
        self.timers: list[float] = []

    def call_later(self, seconds: float, _: object) -> SimpleNamespace:
        self.timers.append(seconds)
        return SimpleNamespace(cancel=self.timers.pop)


@pytest.fixture
def two_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(H11Protocol, "connection_made", lambda *_: None)


READING, READ = h11.IDLE, h11.DONE


@pytest.mark.usefixtures("two_at_most")
@pytest.mark.parametrize(
    ("states", "dropped"),
    [
        ([READING, READING], []),
        ([READING, READING, READING], [0]),
        ([READ, READING, READING], [1]),
        ([READ, h11.SEND_BODY, READING], [1]),
        ([READ, READ, READING], [2]),
        ([READ, READ, READ], [0]),
        ([READING, READING, READING, READING], [0, 1]),
        ([READ, READING, READING, READING], [1, 2]),
    ],
)
def test_the_oldest_connection_without_a_whole_request_makes_room(
    states: list[type], dropped: list[int]
) -> None:
    among: set[Any] = set()
    opened = [Connection(among, made, state) for made, state in enumerate(states)]
    for each in opened:
        each.opens()
    assert [place for place, each in enumerate(opened) if each.aborted] == dropped


@pytest.mark.usefixtures("two_at_most")
def test_a_connection_is_timed_until_its_request_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(H11Protocol, "data_received", lambda *_: None)
    monkeypatch.setattr(H11Protocol, "connection_lost", lambda *_: None)
    read = Connection(set(), 0, READING)
    timers = cast("Loop", read.loop).timers
    read.opens()
    for state, timed in ((READING, 1), (h11.SEND_BODY, 1), (READ, 0), (READ, 0), (READING, 1)):
        read.conn.their_state = state  # type: ignore[misc]
        read.data_received(b"")
        assert timers == [10.0] * timed
    read.connection_lost(None)
    assert timers == []
