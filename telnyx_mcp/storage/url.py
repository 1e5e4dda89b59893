"""Reads `TELNYX_MCP_STATE_URL`: a SQLite file, or a database of a PostgreSQL server.

The one reader for the ledger and the pace. It reads as SQLAlchemy does, without importing it: the pace
does not need SQLAlchemy, and settings are read before anything is asked. No error shows any part of the
URL, as a password that is not escaped may be anywhere in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote

SETTING = "TELNYX_MCP_STATE_URL"
SQLITE_FORM = "sqlite:////path/of/a/file"
POSTGRESQL_FORM = "postgresql+psycopg://user:password@host/database"
LONGEST_ERROR = 200
"""Characters of a driver's error that are shown."""

_OPTION_NAMES = """
    application_name channel_binding client_encoding connect_timeout dbname fallback_application_name
    gssdelegation gssencmode gsslib host hostaddr keepalives keepalives_count keepalives_idle
    keepalives_interval krbsrvname load_balance_hosts max_protocol_version min_protocol_version
    oauth_client_id oauth_client_secret oauth_issuer oauth_scope options passfile password port
    replication require_auth requirepeer requiressl scram_client_key scram_server_key service
    servicefile ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode sslcompression
    sslcrl sslcrldir sslkey sslkeylogfile sslmode sslnegotiation sslpassword sslrootcert sslsni
    target_session_attrs tcp_user_timeout user
"""
OPTIONS = frozenset(_OPTION_NAMES.split())
"""The options of PostgreSQL's library, libpq, in all versions up to 18."""
_SECRET_OPTIONS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key")
_IGNORED_BY_SQLITE = frozenset(
    ("timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
)
"""Options of SQLAlchemy URLs that never had an effect here; URLs that carry them go on working."""

_SCHEME = (
    f"must begin with sqlite:/// for a file, as in {SQLITE_FORM}, or with postgresql+psycopg:// for "
    f"PostgreSQL, as in {POSTGRESQL_FORM}"
)
_RELATIVE = (
    "must name a whole path, as a relative one is another file in each folder the server is started "
    f"from: write {SQLITE_FORM} with four slashes (on Windows sqlite:///C:/path/of/a/file), without ~"
)
_NO_FILE = f"must name a file: write {SQLITE_FORM}. A ledger in memory would be lost at the end"
_FILE_OPTIONS = (
    f"must end with the path of the file, without ? and options: write {SQLITE_FORM}, with %3F for a ? "
    "in the path"
)
_FILE_ON_HOST = f"must not name a user or a host for a file: write {SQLITE_FORM} with four slashes"
_UNESCAPED = (
    "has a character in the user name or the password that must be escaped: write %40 for @, %2F for /, "
    f"%3A for : and %25 for %, as in {POSTGRESQL_FORM}"
)
_PORT = (
    "must have a number from 1 to 65535 after the colon behind the host, as in "
    "postgresql+psycopg://user:password@host:5432/database. For several servers, write "
    "?host=one:5432&host=other:5432 at the end"
)
_NO_DATABASE = (
    f"must name a database behind the host: write {POSTGRESQL_FORM}, with %40 for any other @"
)
_SPACE = "ends with a space or a line break: remove it"
_NUL = "contains %00: remove it"
_NO_VALUE = "has an option without a value: write ?name=value, and & between several"

_SERVER = re.compile(
    r"((?P<user>[^:/@]*)(:(?P<password>[^@]*))?@)?"
    r"(\[(?P<ipv6>[^/?@]+)\]|(?P<host>[^/:?@]*))(:(?P<port>[^/?@]*))?"
    r"(/(?P<dbname>[^?@]*))?(\?(?P<query>.*))?",
    re.DOTALL,
)
_FILE = re.compile(r"(?P<host>[^/?]*)(/(?P<path>[^?]*))?(\?(?P<query>.*))?", re.DOTALL)
_HOST_WITH_PORT = re.compile(r"(?P<host>[A-Za-z0-9.\-]*):(?P<port>\d*)")


class UrlError(ValueError):
    """The URL can't be used. Its text follows the name of the setting, and says what to write."""


@dataclass(frozen=True, slots=True)
class Database:
    """A file, or a database of a server."""

    file: Path | None = None
    server: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What to connect with: options of libpq."""

    @property
    def place(self) -> str:
        """Where it is: the file, or servers and database, without user and options."""
        if self.file:
            return str(self.file)
        host, port, name = (self.server.get(each, "") for each in ("host", "port", "dbname"))
        if host.startswith("/"):  # the folder of a socket
            return f"postgresql:///{name}?host={host}" + (f"&port={port}" if port else "")
        hosts, ports = host.split(","), port.split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        shown = ",".join(map(_address, hosts, ports))
        return f"postgresql://{shown}/{name}"

    def masked(self, text: str) -> str:
        """The text with *** for every secret of the URL, as it is or as a URL writes it."""
        secrets = [self.server[name] for name in _SECRET_OPTIONS if self.server.get(name)]
        spellings = {
            spell for each in secrets for spell in (each, quote(each, ""), quote_plus(each))
        }
        for each in sorted(spellings, key=len, reverse=True):
            text = text.replace(each, "***")
        return text

    def error_text(self, error: BaseException) -> str:
        """A driver's error as it may be shown: masked, in one line, not too long."""
        return " ".join(self.masked(str(error)).split())[:LONGEST_ERROR]


def database_at(url: str) -> Database:
    """What the URL names. Raises `UrlError`."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in {"sqlite", "sqlite+pysqlite"}:
        return Database(_file(rest))
    if separator and scheme in {"postgresql", "postgresql+psycopg"}:
        return Database(server=_server(rest))
    raise UrlError(_SCHEME)


def _file(rest: str) -> Path:
    """The path. A relative one, or one with a ~ that nothing expands, is refused: two folders would
    have two ledgers, each with caps of its own."""
    parts = _matched(_FILE, rest)
    path = _unquoted(parts.get("path", ""))
    names = {name for name, _ in _pairs(parts.get("query", ""))}
    if host := parts.get("host"):
        raise UrlError(_FILE_ON_HOST if re.search("[:@]", host) else _RELATIVE)
    if not path or path.startswith((":memory:", "file:")):
        raise UrlError(_NO_FILE)
    if names - _IGNORED_BY_SQLITE:
        raise UrlError(_FILE_OPTIONS)
    if path.startswith(("~", "/~")) or not (path.startswith("/") or Path(path).is_absolute()):
        raise UrlError(_RELATIVE)
    return Path(path)


def _server(rest: str) -> Mapping[str, str]:
    """What to connect with."""
    parts = _matched(_SERVER, rest)
    if rest != rest.rstrip():
        raise UrlError(_SPACE)
    query = parts.pop("query", "")
    for name in parts.keys() & {"user", "password", "host", "dbname"}:
        parts[name] = _unquoted(parts[name])
    if "ipv6" in parts:
        parts["host"] = parts.pop("ipv6")
    server = parts | _options(query)
    if not all(map(_is_port, server.get("port", "").split(","))):
        raise UrlError(_PORT)
    if not server.get("dbname") and not server.get("service"):
        raise UrlError(_NO_DATABASE)
    return server


def _matched(pattern: re.Pattern[str], rest: str) -> dict[str, str]:
    """The parts that are there."""
    found = pattern.fullmatch(rest)
    if not found:
        raise UrlError(_UNESCAPED)
    return {name: text for name, text in found.groupdict().items() if text}


def _unquoted(text: str) -> str:
    text = unquote(text)
    if "\0" in text:
        raise UrlError(_NUL)
    return text


def _pairs(query: str) -> Sequence[tuple[str, str]]:
    if any("=" not in each for each in query.split("&") if each):
        raise UrlError(_NO_VALUE)
    pairs = parse_qsl(query)
    if any("\0" in text for pair in pairs for text in pair):
        raise UrlError(_NUL)
    return pairs


def _options(query: str) -> dict[str, str]:
    """The options behind the question mark. Only `host` and `port` may be repeated."""
    pairs = _pairs(query)
    for name, _ in pairs:
        if name not in OPTIONS:
            near = get_close_matches(name, OPTIONS, 1)
            advice = (
                f"did you mean {near[0]}?" if near else "remove it, or escape a ? in the password"
            )
            raise UrlError(f"has an option that PostgreSQL does not have: {advice}")
    options = dict(pairs)
    twice = {name for name in options if sum(name == each for each, _ in pairs) > 1}
    if twice := twice - {"host", "port"}:
        raise UrlError(f"states {min(twice)} twice: remove one of them")
    hosts = [value for name, value in pairs if name == "host"]
    ports = [value for name, value in pairs if name == "port"]
    if ports:
        options["port"] = ",".join(ports)
    elif len(hosts) > 1 or any(map(_HOST_WITH_PORT.fullmatch, hosts)):
        split = [_split_port(each) for each in hosts]
        hosts = [host for host, _ in split]
        if any(port for _, port in split):
            options["port"] = ",".join(port for _, port in split)
    return options | ({"host": ",".join(hosts)} if hosts else {})


def _split_port(host: str) -> tuple[str, str]:
    """The host and its port, which may be empty. As SQLAlchemy writes several: host=a:1&host=b:2."""
    found = _HOST_WITH_PORT.fullmatch(host)
    return (found["host"], found["port"]) if found else (host, "")


def _is_port(text: str) -> bool:
    return not text or (
        text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= 65535
    )


def _address(host: str, port: str) -> str:
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host
