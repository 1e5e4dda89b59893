"""All settings, with their environment variables, defaults and descriptions.

Settings are read from the environment under their documented names only. Besides these, the variable
that `key_from` names is read, and what the system and the network libraries define (proxies,
certificates, the display, directories).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telnyx_mcp.config.tool_groups import TOOL_GROUPS, ToolGroup, tool_groups
from telnyx_mcp.storage.url import database_at

TELNYX_API = "https://api.telnyx.com/v2"
TELNYX_HOSTS = frozenset(
    {
        "api.telnyx.com",
        "api.telnyx.eu",
        "api.telnyx.com.au",
        "api.telnyx.ca",
        "api.telnyx.me",
    }
)
"""Telnyx's own regional endpoints, which all take the same key
(developers.telnyx.com/docs/account-setup/regional-endpoints)."""
_PORTS = {"https": 443, "http": 80}


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses of the loopback ranges (127.0.0.0/8, ::1)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def foreign_address(base_url: str) -> str | None:
    """Scheme, host and port of an address that is not Telnyx's own; None for Telnyx's own."""
    parts = urlsplit(base_url)
    is_telnyx = parts.scheme == "https" and parts.netloc in TELNYX_HOSTS
    return None if is_telnyx else f"{parts.scheme}://{parts.netloc}"


def usable_key(text: str) -> SecretStr | None:
    """The key, or None if it is empty. Raises `ValueError`, which does not show it, if it holds
    characters that a header can't hold."""
    key = text.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key holds spaces or characters that no API key has; copy it again")
    return SecretStr(key) if key else None


SHORTEST_TOKEN = 16


def usable_token(text: str) -> SecretStr:
    """The bearer token of `serve --http`. Raises `ValueError`, which does not show it, for one that
    is too short, or that can't stand in a header."""
    token = text.strip()
    if (
        len(token) < SHORTEST_TOKEN
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        raise ValueError(
            f"a token has at least {SHORTEST_TOKEN} letters, digits or signs, and no spaces"
        )
    return SecretStr(token)


class _Environment(PydanticBaseSettingsSource):
    """The documented variables and no others.

    pydantic-settings' own source also reads each field's name, in any case: `BASE_URL` and
    `MAX_PAYMENT`, which mean something else to other programs.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """The value, the name it was found under, and that it is not JSON."""
        variable = str(field.validation_alias)
        return os.environ.get(variable), variable, False

    def __call__(self) -> dict[str, str]:
        fields = self.settings_cls.model_fields.items()
        found = (self.get_field_value(field, name) for name, field in fields)
        # Hosts pass an empty variable if the user left a field empty.
        return {variable: value for value, variable, _ in found if value}


class Settings(BaseSettings):
    """The settings of one server, read once from the environment. In Python they are given by their
    field names.

    Raises `pydantic.ValidationError` for a value that can't be used. `TELNYX_API_KEY` and
    `TELNYX_BASE_URL` are named as in Telnyx's own SDKs.
    """

    # An error names a setting without its value, which may be a key.
    model_config = SettingsConfigDict(
        extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller gives wins over the environment. No files are read."""
        return init_settings, _Environment(settings_cls)

    api_key: SecretStr | None = Field(
        None,
        validation_alias="TELNYX_API_KEY",
        description="The Telnyx API v2 key, from the Mission Control Portal.",
    )
    key_from: str = Field(
        "auto",
        validation_alias="TELNYX_MCP_KEY_FROM",
        description="Where the key is: `keyring` (the system's, extra `keyring`), `env:NAME` (another "
        "variable), or auto: TELNYX_API_KEY, else the keyring if the extra is installed.",
    )
    profile: str | None = Field(
        None,
        validation_alias="TELNYX_MCP_PROFILE",
        description="Which account of the profiles file this server is for.",
    )
    profiles_file: Path | None = Field(
        None,
        validation_alias="TELNYX_MCP_PROFILES",
        description="The profiles file, if not `profiles.toml` in the user's configuration directory.",
    )
    base_url: str = Field(
        TELNYX_API,
        validation_alias="TELNYX_BASE_URL",
        description="The API's address, with `/v2`. https only, except on loopback. A key in the keyring "
        "belongs to one address.",
    )
    read_only: bool = Field(
        False,
        validation_alias="TELNYX_MCP_READ_ONLY",
        description="Refuse every request that is not a GET, and hide the tools that change something.",
    )

    max_payment: Decimal = Field(
        Decimal("500.00"),
        ge=0,
        validation_alias="TELNYX_MCP_MAX_PAYMENT",
        description="The most that one payment may be, in the account's currency.",
    )
    max_per_day: Decimal = Field(
        Decimal("1000.00"),
        ge=0,
        validation_alias="TELNYX_MCP_MAX_PER_DAY",
        description="The most that may be paid in any 24 hours, payments of unknown outcome included.",
    )
    max_per_30_days: Decimal = Field(
        Decimal("5000.00"),
        ge=0,
        validation_alias="TELNYX_MCP_MAX_PER_30_DAYS",
        description="The most that may be paid in any 30 days, payments of unknown outcome included.",
    )
    approval: Literal["auto", "elicitation", "browser", "terminal"] = Field(
        "auto",
        validation_alias="TELNYX_MCP_APPROVAL",
        description="How the user is asked. auto: by the client, else on a page in the browser, else "
        "at the terminal.",
    )
    standing_budget_per_payment: Decimal = Field(
        Decimal("0.00"),
        ge=0,
        validation_alias="TELNYX_MCP_STANDING_BUDGET_PER_PAYMENT",
        description="Payments up to this are made without asking, while the daily budget lasts.",
    )
    standing_budget_per_day: Decimal = Field(
        Decimal("0.00"),
        ge=0,
        validation_alias="TELNYX_MCP_STANDING_BUDGET_PER_DAY",
        description="The most that is paid without asking in any 24 hours. 0: always ask.",
    )
    state_url: SecretStr | None = Field(
        None,
        validation_alias="TELNYX_MCP_STATE_URL",
        description="Where changes are recorded and the pace is shared: sqlite:////path/of/a/file (a whole "
        "path), or postgresql+psycopg://user:password@host/database. Default: a file in the user's "
        "state directory.",
    )

    timezone: str = Field(
        "UTC",
        validation_alias="TELNYX_MCP_TIMEZONE",
        description="The zone whose days count in periods such as `last month`: an IANA name, e.g. "
        "Europe/Berlin.",
    )
    export_dir: Path | None = Field(
        None,
        validation_alias="TELNYX_MCP_EXPORT_DIR",
        description="The folder that CSV files are written to. Without it nothing is exported.",
    )

    tools: tuple[ToolGroup, ...] = Field(
        TOOL_GROUPS,
        validation_alias="TELNYX_MCP_TOOLS",
        description="The groups of tools to load, separated by commas: billing, usage, audit, webhooks, "
        "numbers, changes. Fewer tools cost fewer tokens.",
    )

    http_token: SecretStr | None = Field(
        None,
        validation_alias="TELNYX_MCP_HTTP_TOKEN",
        description="The bearer token that clients of `serve --http` must send, of at least 16 "
        "characters. Default: a new one at each start.",
    )

    @property
    def zone(self) -> tzinfo:
        """The zone whose days count."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError("must be an IANA name such as UTC or Europe/Berlin") from None
        return value

    @field_validator("tools", mode="before")
    @classmethod
    def _known_groups(cls, value: object) -> object:
        if isinstance(value, list | tuple):  # as a profile may write it
            value = ",".join(str(each) for each in value)
        return tool_groups(value) if isinstance(value, str) else value

    @field_validator("state_url")
    @classmethod
    def _usable_place(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            database_at(value.get_secret_value())
        return value

    @field_validator("profile")
    @classmethod
    def _no_empty_name(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("export_dir", "profiles_file")
    @classmethod
    def _whole_path(cls, value: Path | None) -> Path | None:
        if value is None or not str(value).strip(" ."):
            return None
        value = value.expanduser()
        if not value.is_absolute():
            raise ValueError("must be an absolute path, beginning with / or ~")
        return value

    @field_validator("api_key")
    @classmethod
    def _usable_key(cls, value: SecretStr | None) -> SecretStr | None:
        return usable_key(value.get_secret_value()) if value else None

    @field_validator("http_token")
    @classmethod
    def _usable_token(cls, value: SecretStr | None) -> SecretStr | None:
        return usable_token(value.get_secret_value()) if value else None

    @field_validator("key_from")
    @classmethod
    def _known_source(cls, value: str) -> str:
        if not re.fullmatch(r"auto|keyring|env:[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("must be auto, keyring or env:NAME_OF_A_VARIABLE")
        return value

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        value = value.strip().rstrip("/") or TELNYX_API
        parts = urlsplit(value)
        host = parts.hostname or ""
        if not host or parts.username or parts.query or parts.fragment:
            raise ValueError(f"must look like {TELNYX_API}")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
            raise ValueError("must begin with https:// (http:// is allowed on loopback only)")
        # One spelling of one address, as the ledger identifies accounts by it.
        port = f":{parts.port}" if parts.port not in (None, _PORTS[parts.scheme]) else ""
        shown = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{shown}{port}{parts.path}"


VARIABLES: Mapping[str, str] = {
    str(each.validation_alias): name for name, each in Settings.model_fields.items()
}
"""The environment variable of each setting, with the name of the setting."""
SECRETS = frozenset({"TELNYX_API_KEY", "TELNYX_MCP_STATE_URL", "TELNYX_MCP_HTTP_TOKEN"})
"""Variables whose values are never shown."""


def default_of(setting: str) -> str | None:
    """The default of a setting, written as its variable would hold it; None if it has no default."""
    default = Settings.model_fields[setting].get_default()
    if default is None or isinstance(default, str):
        return default
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower()


def variable_of(setting: str) -> str:
    """The environment variable of a setting: `TELNYX_MCP_MAX_PAYMENT` for `max_payment`."""
    return str(Settings.model_fields[setting].validation_alias)
