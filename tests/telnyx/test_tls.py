"""To whom the key is shown: a real TLS server with certificates of every kind, directly and behind a
real proxy, that notes each byte it could read."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
import trustme
from pydantic import SecretStr

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, Fate
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import SECONDS
from tests.support.forward_proxies import serving
from tests.support.scripted_telnyx import KEY, failure_of
from tests.support.simulated_time import Time

PAYMENT = op.CREATE_STORED_PAYMENT_TRANSACTION
NAME = "api.telnyx.test"
HERE = ("127.0.0.1", NAME)
DAY = timedelta(days=1)
OPERATIONS = [PAYMENT, op.UPDATE_AUTO_RECHARGE_PREFERENCES, op.GET_BALANCE]

Certificate = Callable[[trustme.CA], ssl.SSLContext]


# --- certificates --------------------------------------------------------------------------------


def shows(*leaves: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for each in leaves:
        each.configure_cert(context)
    return context


def right(ca: trustme.CA) -> ssl.SSLContext:
    return shows(ca.issue_cert(*HERE))


def untrusted(_: trustme.CA) -> ssl.SSLContext:
    return right(trustme.CA())


def self_signed(_: trustme.CA) -> ssl.SSLContext:
    alone = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alone.cert_pem.tempfile() as cert, alone.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


def expired(ca: trustme.CA) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return shows(ca.issue_cert(*HERE, not_before=now - 9 * DAY, not_after=now - DAY))


def not_yet_valid(ca: trustme.CA) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return shows(ca.issue_cert(*HERE, not_before=now + DAY, not_after=now + 9 * DAY))


def for_another_name(ca: trustme.CA) -> ssl.SSLContext:
    return shows(ca.issue_cert("api.telnyx.example", "127.0.0.2", "*.api.telnyx.test"))


def right_only_as_common_name(ca: trustme.CA) -> ssl.SSLContext:
    return shows(ca.issue_cert("api.telnyx.example", common_name=NAME))


def without_its_intermediate(ca: trustme.CA) -> ssl.SSLContext:
    leaf = ca.create_child_ca().issue_cert(*HERE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with leaf.cert_chain_pems[0].tempfile() as cert, leaf.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


def right_but_of_an_old_version(ca: trustme.CA) -> ssl.SSLContext:
    context = right(ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


BAD = [
    untrusted,
    self_signed,
    expired,
    not_yet_valid,
    for_another_name,
    right_only_as_common_name,
    without_its_intermediate,
    right_but_of_an_old_version,
]


# --- a server and a proxy ------------------------------------------------------------------------


@dataclass
class Listener:
    """Notes what it could read; `answer` goes out after each head of a request."""

    answer: bytes = b""
    forward_to: int = 0
    """A port of loopback, for a proxy."""
    read: bytearray = field(default_factory=bytearray)
    connections: int = 0
    port: int = 0
    on_read: Callable[[], object] = lambda: None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while chunk := await reader.read(65536):
                self.read += chunk
                self.on_read()
                if self.read.endswith((b"\r\n\r\n", b"}")):
                    writer.write(self.answer)
                    await writer.drain()
                    if self.forward_to:
                        await self._forward(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self.forward_to)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while chunk := await source.read(65536):
                    if sink is outer:
                        self.read += chunk
                    sink.write(chunk)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()

        await asyncio.gather(copy(reader, outer), copy(inner, writer))


@asynccontextmanager
async def listening(listener: Listener, tls: ssl.SSLContext | None) -> AsyncIterator[Listener]:
    async with serving(listener.serve, tls) as listener.port:
        yield listener


ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n{"data":{"balance":"300.00"}}'
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The one authority that this machine trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@dataclass
class Way:
    """A way to a TLS server."""

    server: Listener
    transport: Transport
    proxy: Listener | None


@asynccontextmanager
async def a_way(
    tls: ssl.SSLContext, proxy_says: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Way]:
    """To a server with this context: directly, or through a proxy that answers so."""
    time = Time()
    async with listening(Listener(ANSWER), tls) as server:
        proxy = Listener(proxy_says or b"", server.port if proxy_says == TUNNEL else 0)
        async with listening(proxy, None):
            host = "127.0.0.1"
            if proxy_says is not None:
                monkeypatch.setenv("HTTPS_PROXY", f"http://user:Swordfish@127.0.0.1:{proxy.port}")
                host = NAME
            transport = Transport(
                SecretStr(KEY),
                f"https://{host}:{server.port}/v2",
                clock=time.clock,
                sleep=time.sleep,
            )
            try:
                yield Way(server, transport, None if proxy_says is None else proxy)
            finally:
                await transport.aclose()


DIRECTLY_OR_NOT = pytest.mark.parametrize(
    "proxy_says", [None, TUNNEL], ids=["directly", "through a proxy"]
)


# --- the tests -----------------------------------------------------------------------------------


@DIRECTLY_OR_NOT
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_server_with_the_right_certificate_is_asked(
    ca: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    operation: op.Operation,
    proxy_says: bytes | None,
) -> None:
    async with a_way(right(ca), proxy_says, monkeypatch) as way:
        with anyio.fail_after(SECONDS):
            reply = await way.transport.request(operation, body={})
        assert reply.body == {"data": {"balance": "300.00"}}
        assert KEY.encode() in way.server.read, "or the other tests would prove nothing"
        if way.proxy:
            assert way.proxy.read.startswith(b"CONNECT ")
            assert KEY.encode() not in way.proxy.read


@DIRECTLY_OR_NOT
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("certificate", BAD)
async def test_a_server_with_another_certificate_gets_no_byte_of_a_request(
    ca: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Certificate,
    operation: op.Operation,
    proxy_says: bytes | None,
) -> None:
    async with a_way(certificate(ca), proxy_says, monkeypatch) as way:
        error = await failure_of(way.transport, operation, body={"amount": "120.00"})
        # A server that hangs up over the version looks like a proxy that does.
        hung_up = way.proxy is not None and certificate is right_but_of_an_old_version
        assert error.failure in ({Failure.TLS, Failure.PROXY} if hung_up else {Failure.TLS})
        assert error.fate is Fate.NOT_SENT
        assert bytes(way.server.read) == b""
        assert not way.proxy or KEY.encode() not in way.proxy.read


@DIRECTLY_OR_NOT
async def test_nothing_is_trusted_beyond_what_this_machine_trusts(
    monkeypatch: pytest.MonkeyPatch, proxy_says: bytes | None
) -> None:
    """The right certificate, of an authority that was never made known."""
    async with a_way(right(trustme.CA()), proxy_says, monkeypatch) as way:
        error = await failure_of(way.transport, PAYMENT, body={"amount": "120.00"})
        assert (error.failure, error.fate) == (Failure.TLS, Fate.NOT_SENT)
        assert bytes(way.server.read) == b""


@pytest.mark.parametrize(
    "proxy_says",
    [
        b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
    ],
    ids=["403", "407", "429", "502"],
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_proxy_that_refuses_the_tunnel_is_named_and_nothing_was_sent(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, proxy_says: bytes, operation: op.Operation
) -> None:
    async with a_way(right(ca), proxy_says, monkeypatch) as way:
        error = await failure_of(way.transport, operation, body={"amount": "120.00"})
        assert (error.failure, error.fate) == (Failure.PROXY, Fate.NOT_SENT)
        assert "proxy" in str(error)
        assert proxy_says[9:12].decode() in str(error)
        assert "Sword" not in str(error), "the proxy's password"
        assert way.proxy
        assert KEY.encode() not in way.proxy.read


@pytest.mark.parametrize(
    "proxy_says",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nnot a tunnel" + b"." * 100],
    ids=["nothing", "nonsense", "something else than a tunnel"],
)
async def test_a_proxy_that_makes_no_tunnel_gets_no_byte_of_a_payment(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, proxy_says: bytes
) -> None:
    async with a_way(right(ca), proxy_says, monkeypatch) as way:
        error = await failure_of(
            way.transport, PAYMENT, body={"amount": "120.00"}, deadline=Deadline.after(0.5)
        )
        assert error.fate is Fate.NOT_SENT
        assert way.proxy
        assert KEY.encode() not in way.proxy.read


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", __file__),
        ("HTTPS_PROXY", "nonsense://user:Swordfish@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://user:Swordfish@127.0.0.1:port"),
        ("ALL_PROXY", "http://user:Swordfish@[::1"),
    ],
    ids=[
        "no such file",
        "no certificates",
        "unknown scheme",
        "no port",
        "no address",
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_variable_that_cannot_be_used_is_named_and_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, operation: op.Operation
) -> None:
    monkeypatch.setenv(variable, value)
    transport = Transport(SecretStr(KEY), "https://telnyx.invalid/v2")
    error = await failure_of(transport, operation, body={"amount": "120.00"})
    await transport.aclose()
    assert (error.failure, error.fate) == (Failure.ENVIRONMENT, Fate.NOT_SENT)
    assert variable in str(error)
    assert "Sword" not in str(error), "the proxy's password"


# --- a request that would come too late ----------------------------------------------------------


@dataclass
class Jumping:
    """A clock that is put forward."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize("sleeps", ["the clock of the machine", "the clock that counts awake time"])
@pytest.mark.parametrize("operation", [PAYMENT, op.UPDATE_AUTO_RECHARGE_PREFERENCES])
@DIRECTLY_OR_NOT
async def test_a_change_whose_time_passed_while_it_connected_is_not_sent(
    ca: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    sleeps: str,
    operation: op.Operation,
    proxy_says: bytes | None,
) -> None:
    """As when a laptop sleeps: some clocks go on, some stand still."""
    clock, wall = Jumping(), Jumping()
    tls = right(ca)

    def sleep(*_: object) -> None:
        jumping = wall if sleeps == "the clock of the machine" else clock
        jumping.at += 21

    tls.sni_callback = sleep  # called in the middle of the handshake
    async with a_way(tls, proxy_says, monkeypatch) as way:
        error = await failure_of(
            way.transport,
            operation,
            body={"amount": "120.00"},
            deadline=Deadline.after(20, clock, wall),
        )
        assert (error.failure, error.fate) == (Failure.TOO_LATE, Fate.NOT_SENT)
        assert bytes(way.server.read) == b""


@pytest.mark.parametrize("operation", [PAYMENT, op.UPDATE_AUTO_RECHARGE_PREFERENCES])
async def test_a_change_whose_time_passed_before_an_open_connection_was_used_is_not_sent(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, operation: op.Operation
) -> None:
    async with a_way(right(ca), None, monkeypatch) as way:
        await way.transport.request(op.GET_BALANCE)
        before = bytes(way.server.read)
        times = iter([1000.0, 1021.0])
        error = await failure_of(
            way.transport, operation, body={}, deadline=Deadline.after(20, wall=times.__next__)
        )
        assert (error.failure, error.fate) == (Failure.TOO_LATE, Fate.NOT_SENT)
        assert bytes(way.server.read) == before
        assert way.server.connections == 1
        assert (await way.transport.request(PAYMENT, body={})).body, "the next one is made"


async def test_a_payment_that_began_in_time_is_read_though_the_machine_slept_meanwhile(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = Jumping()
    async with a_way(right(ca), None, monkeypatch) as way:
        way.server.on_read = lambda: setattr(wall, "at", wall.at + 3600)
        reply = await way.transport.request(
            PAYMENT, body={"amount": "120.00"}, deadline=Deadline.after(20, wall=wall)
        )
        assert wall.at > 4000
        assert reply.body == {"data": {"balance": "300.00"}}


async def test_a_request_given_up_during_the_handshake_leaves_no_connection_open() -> None:
    """A balance is asked for beside the spend limits: if one fails, the other is cancelled."""
    greeted, closed = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        while await reader.read(4096):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Transport(SecretStr(KEY), f"https://127.0.0.1:{port}/v2")
    with anyio.fail_after(SECONDS):
        asked = asyncio.create_task(transport.request(op.GET_BALANCE))
        await greeted.wait()
        asked.cancel()
        await asyncio.wait([asked])
        await closed.wait()
    await transport.aclose()
    server.close()
    await server.wait_closed()
