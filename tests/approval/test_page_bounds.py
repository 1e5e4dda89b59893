"""Other programs of this computer can't keep the person from the approval page."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import httpx
import pytest

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
