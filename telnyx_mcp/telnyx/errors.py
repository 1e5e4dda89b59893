"""What can go wrong with a request to Telnyx, and what to do next.

`TelnyxError` is the only exception that leaves `telnyx_mcp.telnyx`. Its `failure` names the row of
`ADVICE` that says what happened, whether trying again helps, what to do, and, for a request that
changes something, what is known of its fate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Any

from telnyx_mcp.untrusted import one_line


class Fate(StrEnum):
    """What is known of a request that failed: could it have changed the account?"""

    NOT_SENT = "not_sent"
    """No byte of the request left this machine."""
    REFUSED = "refused"
    """Telnyx answered that it did not do it."""
    UNKNOWN = "unknown"
    """It may have been done."""


class Failure(StrEnum):
    """One way for a request to fail. The rows of `ADVICE`."""

    NO_KEY = "no_key"
    READ_ONLY = "read_only"
    PACED = "paced"
    TOO_LATE = "too_late"
    ENVIRONMENT = "environment"
    DNS = "dns"
    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect_timeout"
    PROXY = "proxy"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    TOO_LARGE = "too_large"
    ENCODED = "encoded"
    REDIRECT = "redirect"
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NO_SUCH_PATH = "no_such_path"
    INVALID = "invalid"
    RATE_LIMITED = "rate_limited"
    THROTTLED = "throttled"
    UNEXPECTED_STATUS = "unexpected_status"
    SERVER_ERROR = "server_error"


@dataclass(frozen=True, slots=True)
class Advice:
    """The texts and the fate that belong to one `Failure`."""

    what: str
    again: str
    do: str
    fate: Fate


_KEY_PAGE = "Mission Control Portal, API Keys"

ADVICE: Mapping[Failure, Advice] = {
    Failure.NO_KEY: Advice(
        "No Telnyx API key is set, so nothing was asked.",
        "Trying again will not help until the key is set.",
        f"Ask the user to create a key ({_KEY_PAGE}), to put it as TELNYX_API_KEY into the `env` of this "
        "server in the client's configuration, and to restart the server. "
        "To try it without a key: `telnyx-account-mcp serve --sandbox`.",
        Fate.NOT_SENT,
    ),
    Failure.READ_ONLY: Advice(
        "This server is read-only, so nothing was sent.",
        "Trying again will not help.",
        "Only the user can change this: start the server without --read-only and TELNYX_MCP_READ_ONLY.",
        Fate.NOT_SENT,
    ),
    Failure.PACED: Advice(
        "The rate limit of Telnyx is used up, so nothing was sent.",
        "The same call will work {when}.",
        "Wait, then call again; ask for larger pages or narrower ranges to need fewer requests.",
        Fate.NOT_SENT,
    ),
    Failure.TOO_LATE: Advice(
        "The time for this call ran out before its first byte could be sent, for example because the machine "
        "slept, so nothing was sent.",
        "The same call may work now.",
        "Call again if it is still wanted.",
        Fate.NOT_SENT,
    ),
    Failure.ENVIRONMENT: Advice(
        "A variable in the environment of this server can't be used, so nothing was sent.",
        "Trying again will not help until it is corrected.",
        "Ask the user to correct the variable named above, or to remove it, and to restart the server.",
        Fate.NOT_SENT,
    ),
    Failure.DNS: Advice(
        "The address of Telnyx could not be looked up.",
        "Trying again may help once the network is back.",
        "Ask the user to check the network, and TELNYX_BASE_URL if it is set.",
        Fate.NOT_SENT,
    ),
    Failure.CONNECT: Advice(
        "No connection to Telnyx could be made.",
        "Trying again may help once the network is back.",
        "Ask the user to check the network, proxy and firewall, and TELNYX_BASE_URL if it is set.",
        Fate.NOT_SENT,
    ),
    Failure.CONNECT_TIMEOUT: Advice(
        "Telnyx did not accept a connection in time.",
        "Trying again in a minute may help.",
        "Ask the user to check the network, proxy and firewall.",
        Fate.NOT_SENT,
    ),
    Failure.PROXY: Advice(
        "The proxy made no connection to Telnyx, so nothing was sent.",
        "Trying again helps only if the proxy was busy.",
        "Ask the user to check the proxy: its address, and whether it lets requests to Telnyx through. "
        "`telnyx-account-mcp doctor` shows which one is used; NO_PROXY exempts an address from it.",
        Fate.NOT_SENT,
    ),
    Failure.TLS: Advice(
        "No trusted connection to Telnyx could be made: the TLS certificate or handshake failed.",
        "Trying again will not help.",
        "Ask the user whether a proxy inspects traffic: its authority must be in the system's store or in "
        "the file that SSL_CERT_FILE names. The clock of the machine must be right, too.",
        Fate.NOT_SENT,
    ),
    Failure.TIMEOUT: Advice(
        "Telnyx did not answer in time.",
        "Trying again may help.",
        "Narrow the range or ask for a smaller page.",
        Fate.UNKNOWN,
    ),
    Failure.RESET: Advice(
        "The connection to Telnyx broke before the answer was complete.",
        "Trying again may help.",
        "If it continues, ask the user to check the network and https://status.telnyx.com.",
        Fate.UNKNOWN,
    ),
    Failure.NOT_JSON: Advice(
        "The answer is not JSON: something between here and Telnyx may have answered instead.",
        "Trying again may help.",
        "If it continues, ask the user to check the proxy, and TELNYX_BASE_URL if it is set.",
        Fate.UNKNOWN,
    ),
    Failure.WRONG_SHAPE: Advice(
        "The answer is JSON, but not of the documented form.",
        "Trying again will probably not help.",
        "Ask the user to update telnyx-account-mcp or to report this as an issue.",
        Fate.UNKNOWN,
    ),
    Failure.TOO_LARGE: Advice(
        "The answer is too large and was not read.",
        "Trying again will not help.",
        "Ask for a shorter range or a smaller page.",
        Fate.UNKNOWN,
    ),
    Failure.ENCODED: Advice(
        "The answer is compressed in a way that was not asked for, or more than once, and was not read.",
        "Trying again will probably not help.",
        "Ask the user to check the proxy, and TELNYX_BASE_URL if it is set: Telnyx compresses once, "
        "with gzip.",
        Fate.UNKNOWN,
    ),
    Failure.REDIRECT: Advice(
        "Telnyx answered with a redirect, which is never followed, so that the key goes nowhere else.",
        "Trying again will not help.",
        "Ask the user to check TELNYX_BASE_URL; it must be the API's own address.",
        Fate.UNKNOWN,
    ),
    Failure.BAD_REQUEST: Advice(
        "Telnyx refused the request as malformed.",
        "Trying the same again will not help.",
        "Correct the argument named above and call again.",
        Fate.REFUSED,
    ),
    Failure.UNAUTHORIZED: Advice(
        "Telnyx did not accept the API key.",
        "Trying again will not help.",
        "Ask the user to check TELNYX_API_KEY, or where else the key is taken from "
        f"(`telnyx-account-mcp doctor` says): mistyped, deleted or expired? ({_KEY_PAGE})",
        Fate.REFUSED,
    ),
    Failure.FORBIDDEN: Advice(
        "The API key is valid but may not do this.",
        "Trying again will not help.",
        "Ask the user to check the permissions of the key and the level of the account.",
        Fate.REFUSED,
    ),
    Failure.NOT_FOUND: Advice(
        "Telnyx has no object with this id.",
        "Trying the same again will not help.",
        "Take the id from the matching list tool.",
        Fate.REFUSED,
    ),
    Failure.NO_SUCH_PATH: Advice(
        "There is no such operation at the address that was asked.",
        "Trying again will not help.",
        "Ask the user to check TELNYX_BASE_URL, in a profile base_url: it is https://api.telnyx.com/v2 "
        "unless a gateway has an address of its own, which usually ends in /v2, too.",
        Fate.REFUSED,
    ),
    Failure.INVALID: Advice(
        "Telnyx refused the values of the request.",
        "Trying the same again will not help.",
        "Correct the argument named above and call again.",
        Fate.REFUSED,
    ),
    Failure.RATE_LIMITED: Advice(
        "Telnyx answered that too many requests were made.",
        "The same call will work {when}.",
        "Wait, then call again; ask for larger pages or narrower ranges to need fewer requests.",
        Fate.REFUSED,
    ),
    Failure.THROTTLED: Advice(
        "Too many requests: something in front of Telnyx (a proxy or gateway) answered 429, not Telnyx "
        "itself.",
        "The same call will work {when}.",
        "Wait, then call again. If it continues, ask the user to check the proxy.",
        Fate.UNKNOWN,
    ),
    Failure.UNEXPECTED_STATUS: Advice(
        "Telnyx answered with an unexpected status.",
        "Trying again will probably not help.",
        "Show the user this text.",
        Fate.UNKNOWN,
    ),
    Failure.SERVER_ERROR: Advice(
        "Telnyx reported an internal error.",
        "Trying again in a minute may help.",
        "If it continues, ask the user to look at https://status.telnyx.com.",
        Fate.UNKNOWN,
    ),
}

BY_STATUS: Mapping[int, Failure] = {
    400: Failure.BAD_REQUEST,
    401: Failure.UNAUTHORIZED,
    403: Failure.FORBIDDEN,
    404: Failure.NOT_FOUND,
    408: Failure.TIMEOUT,
    422: Failure.INVALID,
    429: Failure.THROTTLED,
}
"""What a status means. A 429 whose body carries Telnyx's own code is `RATE_LIMITED` instead."""

OWN_RATE_LIMIT_CODE = "10011"

LONGEST_REASON = 800
"""Characters of what Telnyx says is wrong. A usage report that is refused lists everything that may be
asked for instead, in some 500."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One entry of a Telnyx error body: `{code, title, detail, source}`, all optional.

    `parameter` is the offending argument in this program's own names, where Telnyx named one.
    """

    code: str = ""
    title: str = ""
    detail: str = ""
    parameter: str = ""

    def __str__(self) -> str:
        reason = ": ".join(part for part in (self.title, self.detail) if part)
        where = f"argument `{self.parameter}`: " if self.parameter else ""
        return f"{where}{reason or 'no reason given'}" + (
            f" (code {self.code})" if self.code else ""
        )


@dataclass(eq=False)
class TelnyxError(Exception):
    """A request to Telnyx that gave no usable answer."""

    failure: Failure
    why: str = ""
    status: int | None = None
    complaints: tuple[Complaint, ...] = ()
    retry_in: float | None = None
    """Seconds until the same request may work, where Telnyx or the pace states it."""
    sandbox: bool = False
    extra_advice: str = ""
    """What to do, if the operation has more specific advice than the table."""
    fate: Fate = field(init=False)

    def __post_init__(self) -> None:
        self.fate = ADVICE[self.failure].fate

    @property
    def summary(self) -> str:
        """What happened and why, without advice."""
        reasons = ([self.why] if self.why else []) + [str(each) for each in self.complaints[:3]]
        status = f" (HTTP {self.status})" if self.status else ""
        why = f" Reason given: {'; '.join(reasons)[:LONGEST_REASON]}." if reasons else ""
        return f"{ADVICE[self.failure].what}{status}{why}"

    def __str__(self) -> str:
        advice = ADVICE[self.failure]
        when = "later" if self.retry_in is None else f"in {max(1, ceil(self.retry_in))} s"
        return f"{self.summary} {advice.again.format(when=when)} {self.extra_advice or advice.do}"


def complaints_in(body: Any, names: Mapping[str, str]) -> tuple[Complaint, ...]:
    """The errors of a Telnyx error body in any shape; empty for anything else.

    `names` maps wire names (`page[size]`, `/amount`) to the argument names of this program.
    """
    entries = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        return ()
    return tuple(
        # Session analysis has a message in the place of a title.
        _complaint({"title": entry.get("message"), **entry}, names)
        for entry in entries[:10]
        if isinstance(entry, dict)
    )


def _complaint(entry: Mapping[str, Any], names: Mapping[str, str]) -> Complaint:
    source = entry.get("source")
    source = source if isinstance(source, dict) else {}
    wire = source.get("parameter") or source.get("pointer") or ""
    wire = wire if isinstance(wire, str) else ""
    # `filter[cost][gte]` is named by `filter` where the operation has no name for it in whole.
    parameter = names.get(wire) or names.get(wire.partition("[")[0]) or wire.strip("/")
    code, title = (_short(entry.get(part)) for part in ("code", "title"))
    detail = _short(entry.get("detail"), LONGEST_REASON)
    return Complaint(code, title, detail, _short(parameter))


def _short(value: object, longest: int = 300) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return one_line(text, longest).rstrip(".")


def unusable_variable(variable: str, why: str) -> TelnyxError:
    """The error for a variable of the environment that no connection can be made with."""
    return TelnyxError(Failure.ENVIRONMENT, one_line(f"{variable}: {why}", LONGEST_REASON))
