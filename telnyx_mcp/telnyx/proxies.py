"""Which proxy the requests to one address go through, by the usual variables of the environment.

The same rules as curl's: the lower-case variable has precedence, HTTPS_PROXY has precedence over
ALL_PROXY, and NO_PROXY lists what is reached directly. Nothing here shows a user or a password.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from telnyx_mcp.config.addresses import is_loopback
from telnyx_mcp.telnyx.errors import unusable_variable

PORTS: Mapping[str, int] = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""The schemes of proxies, and the port of each where none is given."""
_OTHER_NAMES = {"socks": "socks5"}  # as GNOME writes it
_SCHEMES = "http, https, socks5 or socks5h"
_SYSTEM = "the system's settings"
_HOST = re.compile(r"[^\s/?#@\\\[\]:]+")
_ENTRY = re.compile(r"\[?(?P<name>.+?)\]?(?P<prefix>/[0-9]+)?(?::(?P<port>[0-9]+))?")

SystemProxy = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    variable: str
    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without user and password."""
        return f"{self.scheme}://{self.address}"

    @property
    def auth(self) -> tuple[str, str] | None:
        return (self.user, self.password) if self.user or self.password else None

    def __str__(self) -> str:
        return f"the proxy {self.address} named by {self.variable}"


@dataclass(frozen=True, slots=True)
class Route:
    """How an address is reached: through a proxy, or directly for a reason."""

    proxy: Proxy | None = None
    direct_because: str = ""

    def __str__(self) -> str:
        if self.proxy is None:
            return f"no proxy is used: {self.direct_because}"
        login = ", with a user and password" if self.proxy.auth else ""
        return f"{self.proxy} ({self.proxy.scheme}{login})"


def _system_proxy(host: str) -> str:
    """The proxy that macOS or Windows has in its settings for this host; empty if there is none."""
    if sys.platform == "win32" or sys.platform == "darwin":
        from urllib.request import getproxies, proxy_bypass

        return "" if proxy_bypass(host) else getproxies().get("https", "")
    return ""


def route_to(
    base_url: str,
    environment: Mapping[str, str] | None = None,
    system_proxy: SystemProxy = _system_proxy,
) -> Route:
    """How this address is reached. Raises `TelnyxError` for a variable that can't be used."""
    address = urlsplit(base_url)
    host, port = address.hostname or "", address.port or (80 if address.scheme == "http" else 443)
    if is_loopback(host):
        return Route(direct_because="it is an address of this machine")
    variables = os.environ if environment is None else environment
    variable, value = _first_set(variables, "https_proxy", "all_proxy")
    if not variable:
        variable, value = _SYSTEM, system_proxy(host)
    if not value:
        return Route(direct_because="neither HTTPS_PROXY nor ALL_PROXY is set")
    exempting, exempt = _first_set(variables, "no_proxy")
    if any(_matches(entry, host, port) for entry in re.split(r"[,\s]+", exempt) if entry):
        return Route(direct_because=f"{exempting} exempts it from the proxy of {variable}")
    return Route(_proxy(variable, value))


def _first_set(variables: Mapping[str, str], *names: str) -> tuple[str, str]:
    """The first of these variables that is set to something, and its value. The lower-case name has
    precedence, also to switch off the other by being empty."""
    for name in names:
        for spelling in (name, name.upper()):
            if (value := variables.get(spelling)) is not None:
                if value.strip():
                    return spelling, value.strip()
                break
    return "", ""


def _proxy(variable: str, value: str) -> Proxy:
    scheme, divided, rest = value.partition("://")
    if not divided:
        scheme, rest = "http", value
    scheme = _OTHER_NAMES.get(scheme.lower(), scheme.lower())
    if scheme not in PORTS:
        named = f"{scheme}://" if re.fullmatch(r"[a-z][a-z0-9+.-]{0,19}", scheme) else "its scheme"
        raise unusable_variable(variable, f"{named} is not a kind of proxy: use {_SCHEMES}")
    # A host holds no @, so what precedes the last one is the user and password, as they may be typed.
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    host, port = _host_and_port(variable, re.split(r"[/?#]", place, maxsplit=1)[0])
    return Proxy(variable, scheme, host, port or PORTS[scheme], unquote(user), unquote(password))


def _host_and_port(variable: str, place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, closed, rest = place[1:].partition("]")
        if not closed or _address(host) is None:
            raise unusable_variable(variable, "what stands between [ and ] is not an IPv6 address")
    else:
        host, colon, port = place.rpartition(":") if ":" in place else (place, "", "")
        rest = colon + port
        if not _HOST.fullmatch(host):
            raise unusable_variable(
                variable,
                "no host can be read in it: it must be like http://HOST:PORT, and an IPv6 "
                "address stands in [ and ]",
            )
    if not rest.strip(":"):
        return host, None
    if not re.fullmatch(r":[0-9]{1,5}", rest) or not 0 < int(rest[1:]) < 65536:
        raise unusable_variable(variable, "its port is not a number from 1 to 65535")
    return host, int(rest[1:])


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY stands for this host: `*`, a name with all names below it, an
    address, a network, each with or without a port."""
    if entry == "*":
        return True
    entry = entry.partition("://")[2] or entry
    # Without brackets, the colons of an IPv6 address are its own.
    if _network(entry) is None and (parts := _ENTRY.fullmatch(entry)):
        entry = parts["name"] + (parts["prefix"] or "")
        if parts["port"] and int(parts["port"]) != port:
            return False
    network, address = _network(entry), _address(host)
    if network is not None:
        return address is not None and address in network
    name = entry.lower().removeprefix("*").strip(".")
    own = host.lower().rstrip(".")
    return bool(name) and (own == name or own.endswith(f".{name}"))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
