"""The secrets of the service, each from the variable NAME, or from the file that NAME_FILE names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from telnyx_mcp.config.key_file import SUFFIX, NoKeyThere, key_text
from telnyx_mcp.service import secret
from telnyx_mcp.service.config import ServiceConfig
from telnyx_mcp.service.config_errors import ConfigError
from telnyx_mcp.service.secret import SecretError, ServiceSecret
from telnyx_mcp.service.tokens.config import https_only
from telnyx_mcp.storage.url import SETTING as STATE_URL
from telnyx_mcp.storage.url import UrlError, database_at
from telnyx_mcp.untrusted import remember

API_KEY = "TELNYX_API_KEY"
SIGN_IN_SECRET = "TELNYX_MCP_SIGN_IN_SECRET"  # noqa: S105 - a name
INTROSPECTION_SECRET = "TELNYX_MCP_INTROSPECTION_SECRET"  # noqa: S105 - a name
NOTICE_URL = "TELNYX_MCP_NOTICE_URL"
NOTICE_SECRET = "TELNYX_MCP_NOTICE_SECRET"  # noqa: S105 - a name
NAMES: Mapping[str, str] = {
    API_KEY: "the Telnyx API key of the account",
    STATE_URL: "the database: postgresql+psycopg://user:password@host/database",
    secret.VARIABLE: "what all replicas seal and sign with, at least 32 characters; two of them, "
    "separated by a comma, while it is replaced",
    SIGN_IN_SECRET: "the secret of the client that the pages sign people in with",
    INTROSPECTION_SECRET: "the secret of issuer.introspection_client_id; only with that setting",
    NOTICE_URL: "the address of the webhook that notices go to; it often holds a token. Left out: no notices",
    NOTICE_SECRET: "what notices are signed with (HMAC-SHA256); only with TELNYX_MCP_NOTICE_URL",
}
"""Each secret of the service, and what it is."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets. None is ever printed."""

    api_key: SecretStr
    state_url: SecretStr
    service: ServiceSecret = field(repr=False)
    sign_in: SecretStr
    introspection: SecretStr | None = None
    notice_url: SecretStr | None = None
    notice: SecretStr | None = None


def read_secrets(environment: Mapping[str, str], config: ServiceConfig | None) -> Secrets:
    """The secrets that this configuration needs; None: one that can't be read. From then on no answer and
    no log line repeats one.

    Raises `ConfigError` with everything that is wrong with them.
    """
    problems: list[str] = []
    texts = {name: _text(environment, name, problems) for name in NAMES}
    wanted = {
        API_KEY: True,
        STATE_URL: True,
        SIGN_IN_SECRET: True,
        INTROSPECTION_SECRET: config is not None
        and config.issuer.introspection_client_id is not None,
        NOTICE_SECRET: bool(texts[NOTICE_URL]),
    }
    broken = " ".join(problems)
    problems += [
        f"{name} is not set, and {name}{SUFFIX} neither: {NAMES[name]}"
        for name, is_wanted in wanted.items()
        if is_wanted and not texts[name] and name not in broken
    ]
    service = ServiceSecret(())
    try:
        if secret.VARIABLE not in broken:
            service = ServiceSecret.from_text(texts[secret.VARIABLE])
    except SecretError as error:
        problems.append(str(error))
    problems += _wrong_database(texts[STATE_URL]) + _wrong_webhook(texts[NOTICE_URL])
    for each in (*texts.values(), *(each.decode() for each in service.values)):
        remember(each)
    if problems:
        raise ConfigError(problems)

    def optional(name: str) -> SecretStr | None:
        return SecretStr(texts[name]) if texts[name] else None

    return Secrets(
        SecretStr(texts[API_KEY]),
        SecretStr(texts[STATE_URL]),
        service,
        SecretStr(texts[SIGN_IN_SECRET]),
        optional(INTROSPECTION_SECRET),
        optional(NOTICE_URL),
        optional(NOTICE_SECRET),
    )


def _text(environment: Mapping[str, str], name: str, problems: list[str]) -> str:
    if environment.get(name) and environment.get(f"{name}{SUFFIX}"):
        problems.append(f"{name} and {name}{SUFFIX} are both set. Remove one of them")
        return ""
    try:
        return key_text(environment, name).strip()
    except NoKeyThere as error:
        problems.append(f"{name}{SUFFIX}: {error}")
        return ""


def _wrong_database(url: str) -> list[str]:
    if not url:
        return []
    try:
        database = database_at(url)
    except UrlError as error:
        return [f"{STATE_URL} {error}"]
    if database.file is None:
        remember(database.server.get("password", ""))
        return []
    return [
        f"{STATE_URL} names a SQLite file, and a service needs PostgreSQL: its replicas share one "
        "database. Set postgresql+psycopg://user:password@host/database"
    ]


def _wrong_webhook(url: str) -> list[str]:
    try:
        if url:
            https_only(url)
    except ValueError as error:
        return [f"{NOTICE_URL} {error}"]
    return []
