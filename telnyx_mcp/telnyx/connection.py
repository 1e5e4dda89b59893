"""How far a request came on its way to Telnyx, and what a failure there means.

A failure before the proxy's tunnel stands is the proxy's, and certainly nothing was sent. From then on
it is judged as on a direct connection.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from enum import Enum, auto
from socket import gaierror
from typing import Any, TypeVar

import anyio

from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, Fate, TelnyxError
from telnyx_mcp.telnyx.operations import NOT_CONNECTED
from telnyx_mcp.telnyx.proxies import Proxy

E = TypeVar("E", bound=BaseException)


class Stage(Enum):
    """How far a request came. The first three are passed only with a proxy."""

    REACHING_PROXY = auto()
    GREETING_PROXY = auto()
    """TLS with the proxy itself."""
    ASKING_PROXY = auto()
    IN_TUNNEL = auto()
    """TLS with Telnyx, through the proxy."""
    WAITING = auto()
    """For a connection; or it is made, without a proxy."""
    SENDING = auto()
    """The first byte of the request was handed to the connection."""


_STAGES: Mapping[str, Stage] = {
    "connection.connect_tcp.started": Stage.REACHING_PROXY,
    "socks.connect_tcp.started": Stage.REACHING_PROXY,
    "connection.start_tls.started": Stage.GREETING_PROXY,
    "socks.setup_socks5_connection.started": Stage.ASKING_PROXY,
    "proxy.start_tls.started": Stage.IN_TUNNEL,
    "socks.start_tls.started": Stage.IN_TUNNEL,
}
"""The stage that an event of httpcore begins, with a proxy."""

_ALLOW = (
    "Ask the user to have this address allowed on the proxy, or to name it in NO_PROXY if it can be reached "
    "directly."
)
_LOGIN = (
    "Ask the user to correct the user and password in that variable (http://USER:PASSWORD@HOST:PORT, with "
    "%40 for an @ and %25 for a % in them) and to restart the server."
)
_ADVICE_BY_ANSWER: Mapping[str, str] = {
    "407": _LOGIN,
    "Invalid username/password": _LOGIN,
    "Requested": _LOGIN,  # another way to log in than the proxy offers
    "401": _LOGIN,
    "403": _ALLOW,
    "Proxy Server could not connect: Connection not allowed by ruleset": _ALLOW,
}
"""What to do, by how a proxy's answer begins."""

_INSPECTED = (
    "Ask the user whether a company's proxy inspects traffic: then its authority must be in the system's "
    "store, or in the file that SSL_CERT_FILE names."
)
_CLOCK = "Ask the user whether the clock of the machine is right, and who runs what answers at this address."
_NAME = "Ask the user to check TELNYX_BASE_URL if it is set, and whether a proxy or a login page answers."
_EXPIRED = ("the certificate has expired, or the clock here is ahead", _CLOCK)
_STRANGE = ("the certificate is from an authority that is not trusted here", _INSPECTED)
_OTHER_NAME = ("the certificate is for another name than {host}", _NAME)
_CERTIFICATE_ERRORS: Mapping[int, tuple[str, str]] = {
    9: ("the certificate is not valid yet, or the clock here is behind", _CLOCK),
    10: _EXPIRED,
    18: ("the certificate is self-signed", _INSPECTED),
    19: _STRANGE,
    20: _STRANGE,
    21: _STRANGE,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
    # Of Windows and macOS
    0x800B0101: _EXPIRED,
    0x800B0109: _STRANGE,
    0x800B010F: _OTHER_NAME,
    -67818: _EXPIRED,
    -67843: _STRANGE,
    -67602: _OTHER_NAME,
}
"""What is wrong with a certificate, and what to do, by the code of what verified it."""


class ConnectionMonitor:
    """Follows one request. Raises `TOO_LATE` for a change right before its first byte, once the
    deadline has passed."""

    def __init__(
        self, deadline: Deadline, host: str, proxy: Proxy | None, *, changes: bool
    ) -> None:
        self._deadline = deadline
        self._host = host
        self._proxy = proxy
        self._changes = changes
        self._stage = Stage.WAITING
        self._stream: Any = None

    @property
    def in_proxys_hands(self) -> bool:
        """Whether a proxy has yet to make the connection."""
        return self._stage not in (Stage.WAITING, Stage.SENDING)

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Takes an event of httpcore."""
        if event.endswith("connect_tcp.complete"):
            self._stream = info["return_value"]
        if self._proxy and self._stage is not Stage.SENDING:
            self._stage = _STAGES.get(event, self._stage)
        if event.endswith("send_request_headers.started"):
            if self._changes and self._deadline.has_passed():
                raise TelnyxError(Failure.TOO_LATE)
            # The request for a tunnel, which goes to a proxy, is not the request.
            if info["request"].method != b"CONNECT":
                self._stage = Stage.SENDING
            elif self._stage is not Stage.SENDING:
                self._stage = Stage.ASKING_PROXY

    async def abandon(self) -> None:
        """Closes a connection that was being made. httpcore leaves it open if a SOCKS proxy refuses, and if
        the request is cancelled during the handshake of TLS."""
        if self._stream and self._stage is not Stage.SENDING:
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()

    def failure(self, error: Exception, httpx_: Any, base_url: str, source: str) -> TelnyxError:
        """What an exception of httpx, or of the deadline, stands for.

        `source` says where the certificates come from that Telnyx's was checked against.
        """
        sent = self._stage is Stage.SENDING
        lost = self._of_proxy(error, httpx_) if self.in_proxys_hands else None
        if lost is None:
            # Once something is sent, TLS stands, and its errors are those of a broken connection.
            tls = None if sent else _tls_error(error)
            lost = self._of_tls(tls, source) if tls else _of_telnyx(error, httpx_, base_url)
        if self._changes:
            lost.fate = Fate.UNKNOWN if sent else Fate.NOT_SENT
        return lost

    def _of_proxy(self, error: Exception, httpx_: Any) -> TelnyxError | None:
        """The failure of the proxy; None if Telnyx's certificate failed, which came through it."""
        tls = _tls_error(error)
        late = isinstance(error, httpx_.TimeoutException | TimeoutError)
        advice = ""
        match self._stage:
            case Stage.IN_TUNNEL if tls is not None and _is_about_certificate(tls):
                return None
            case Stage.IN_TUNNEL:
                did = f"made a connection to {self._host}, but no TLS came through it"
            case Stage.GREETING_PROXY if isinstance(tls, ssl.SSLCertVerificationError):
                did = "has a certificate that is not trusted here"
            case Stage.GREETING_PROXY:
                did = "does not speak TLS: http:// may be meant in place of https://"
            case Stage.REACHING_PROXY if _cause(error, gaierror):
                did = "could not be looked up"
            case Stage.REACHING_PROXY:
                did = "accepts no connections" + (" (it did not answer in time)" if late else "")
            case _ if isinstance(error, httpx_.ProxyError):
                did = f"refused the connection to {self._host} ({_answer(str(error))})"
                advice = next(
                    (do for begin, do in _ADVICE_BY_ANSWER.items() if str(error).startswith(begin)),
                    "",
                )
            case _ if late:
                did = "did not answer in time"
            case _:
                did = "hung up, or gave an answer that no proxy gives"
        return TelnyxError(Failure.PROXY, f"{self._proxy} {did}", extra_advice=advice)

    def _of_tls(self, error: ssl.SSLError, source: str) -> TelnyxError:
        """What is wrong with Telnyx's certificate, or with the handshake, and what to do."""
        code = getattr(error, "verify_code", 0)
        what, do = _CERTIFICATE_ERRORS.get(code, ("", ""))
        if not what:
            is_certificate = isinstance(error, ssl.SSLCertVerificationError)
            of = "the certificate can't be verified" if is_certificate else "the handshake failed"
            what = f"{of} ({_reason(error) or code})"
        through = f"; it came through {self._proxy}" if self._proxy else ""
        why = f"{what.format(host=self._host)}; checked against {source}{through}"
        return TelnyxError(Failure.TLS, why, extra_advice=do)


def _of_telnyx(error: Exception, httpx_: Any, base_url: str) -> TelnyxError:
    """The failure of a connection that no proxy has still to make."""
    if _cause(error, gaierror):
        return TelnyxError(Failure.DNS, f"address {base_url}")
    failure = next(
        failure
        for kind, failure in (
            (httpx_.ConnectTimeout, Failure.CONNECT_TIMEOUT),
            (httpx_.TimeoutException, Failure.TIMEOUT),
            (TimeoutError, Failure.TIMEOUT),
            (httpx_.ConnectError, Failure.CONNECT),
            (httpx_.UnsupportedProtocol, Failure.CONNECT),
            (httpx_.InvalidURL, Failure.CONNECT),
            (Exception, Failure.RESET),
        )
        if isinstance(error, kind)
    )
    return TelnyxError(failure, f"address {base_url}" if failure in NOT_CONNECTED else "")


def _cause(error: BaseException | None, kind: type[E]) -> E | None:
    """The exception of this kind among an exception and its causes."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _tls_error(error: Exception) -> ssl.SSLError | None:
    """The error of TLS behind an exception. That it waits for more bytes is not an error."""
    tls = _cause(error, ssl.SSLError)
    return None if isinstance(tls, ssl.SSLWantReadError | ssl.SSLWantWriteError) else tls


def _is_about_certificate(error: ssl.SSLError) -> bool:
    """Whether the other side spoke TLS: what it showed is not trusted, or one side refused the other."""
    reason = _reason(error)
    refused = "ALERT" in reason or reason == "UNSUPPORTED_PROTOCOL"
    return refused or isinstance(error, ssl.SSLCertVerificationError)


def _reason(error: ssl.SSLError) -> str:
    """What OpenSSL calls the error; empty for one of truststore, which asks Windows or macOS."""
    return getattr(error, "reason", None) or ""


def _answer(text: str) -> str:
    """A proxy's refusal without words of its own, which would be a stranger's: the status of HTTP, or
    what httpcore says of SOCKS."""
    status = re.match(r"[0-9]{3}(?= |$)", text)
    return f"HTTP {status[0]}" if status else text.rstrip(".")
