"""The certificates that Telnyx's own is checked against: SSL_CERT_FILE, else SSL_CERT_DIR, else the
system's store, where a company's own authority is installed.
"""

from __future__ import annotations

import os
import platform
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telnyx_mcp.telnyx.errors import unusable_variable

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_BUNDLES = (
    "/etc/ssl/cert.pem",  # Alpine, Arch, BSD
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/cert.pem",  # CentOS
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
"""Where truststore looks, besides the folders of OpenSSL itself."""
_BUNDLED = "those that come with this program, as the system has none"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the certificates come from, and what checks against them."""

    source: str
    context: ssl.SSLContext


def certificates(environment: Mapping[str, str] | None = None) -> Certificates:
    """The certificates in use. Raises `TelnyxError` for a variable that can't be used."""
    variables = os.environ if environment is None else environment
    for variable, load in (("SSL_CERT_FILE", _of_file), ("SSL_CERT_DIR", _of_folders)):
        if value := variables.get(variable):
            return Certificates(f"{variable} ({value})", load(variable, value))
    if not system_has_certificates():
        import certifi

        return Certificates(_BUNDLED, ssl.create_default_context(cafile=certifi.where()))
    import truststore

    return Certificates("the system's store", truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def system_has_certificates(bundles: Sequence[str] = _BUNDLES) -> bool:
    """Whether the system has a store. On Linux it is a package, which a small container may lack."""
    usual = ssl.get_default_verify_paths()
    folders = [usual.capath] if usual.capath else []
    return (
        platform.system() != "Linux"
        or bool(usual.cafile)
        or any(map(os.path.isfile, bundles))
        or _holds_hashed(folders)
    )


def _holds_hashed(folders: Iterable[str]) -> bool:
    """Whether OpenSSL would find a certificate in one of these folders. Raises `OSError`."""
    return any(
        _HASHED.fullmatch(each.name) for folder in folders for each in Path(folder).iterdir()
    )


def _of_file(variable: str, value: str) -> ssl.SSLContext:
    path = Path(value)
    if path.is_dir():
        raise unusable_variable(variable, f"{value} is a folder; SSL_CERT_DIR takes folders")
    if path.exists() and not path.is_file():
        raise unusable_variable(variable, f"{value} is not a file")
    try:
        return ssl.create_default_context(cafile=value)
    except ssl.SSLError:
        raise unusable_variable(
            variable, f"{value} holds no certificate that can be read (PEM)"
        ) from None
    except (OSError, ValueError) as error:
        raise unusable_variable(variable, f"{value} can't be read ({_reason(error)})") from None


def _of_folders(variable: str, value: str) -> ssl.SSLContext:
    """OpenSSL reads such a folder as late as it needs a certificate: whether it has one is seen here."""
    try:
        found = _holds_hashed(filter(None, value.split(os.pathsep)))
    except (OSError, ValueError) as error:
        raise unusable_variable(variable, f"{value} can't be read ({_reason(error)})") from None
    if not found:
        raise unusable_variable(
            variable, f"{value} holds no certificate under the name of its hash (openssl rehash)"
        )
    return ssl.create_default_context(capath=value)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not a path"
