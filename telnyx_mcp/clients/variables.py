"""The environment variables that a server needs besides its settings, and that clients may not pass on."""

from __future__ import annotations

from collections.abc import Mapping

PROXIES = (
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"),
    *("ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
)
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
NETWORK = frozenset({*PROXIES, *CERTIFICATES})
DIRECTORIES = ("XDG_STATE_HOME", "XDG_CONFIG_HOME")
"""Where the ledger and the profiles file are on Linux."""
DESKTOP = (
    *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR"),
    *("DBUS_SESSION_BUS_ADDRESS", "BROWSER"),
)
"""What a browser needs to show the page for approvals, and a keyring to be found."""
NEEDED = (*PROXIES, *CERTIFICATES, *DIRECTORIES, *DESKTOP)
FEW = frozenset(
    {
        *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"),
        *("APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PROCESSOR_ARCHITECTURE"),
        *("SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME", "USERPROFILE", "PROGRAMFILES"),
    }
)
"""What a client that is built on an SDK of the protocol passes on; the second and third row on Windows."""


def shown(name: str, value: str) -> str:
    """The value for the user to see: without the password of a proxy."""
    if name not in PROXIES or "@" not in value:
        return value
    before, _, host = value.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}***@{host}" if separator else f"***@{host}"


def holds_password(name: str, value: str) -> bool:
    """Whether the value holds a user name or password."""
    return shown(name, value) != value


def needed_here(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that are set in this environment. By its own names: on Windows, `https_proxy` finds
    `HTTPS_PROXY`, too."""
    names = set(environment)
    return {name: environment[name] for name in NEEDED if name in names and environment[name]}
