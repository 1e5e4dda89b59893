"""All settings, with their environment variables, defaults and descriptions.

Settings are read from the environment under their documented names only. Besides these, the variable
that `key_from` names is read, and what the system and the network libraries define (proxies,
certificates, the display, directories).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from telnyx_mcp.config.addresses import TELNYX_API, foreign_address, usable_address
from telnyx_mcp.config.paths import without_tilde
from telnyx_mcp.config.tool_groups import TOOL_GROUPS, ToolGroup, tool_groups
from telnyx_mcp.config.typed_key import reference_in, unquoted, usable_key, usable_token
from telnyx_mcp.config.typed_values import typed_amount, typed_switch, typed_zone
from telnyx_mcp.storage.url import database_at

Channel = Literal["auto", "elicitation", "browser", "terminal"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
SAFETY = frozenset(
    {
        "read_only",
        "max_payment",
        "max_per_day",
        "max_per_30_days",
        "approval",
        "standing_budget_per_payment",
        "standing_budget_per_day",
    }
)
"""The settings that limit what can be changed or paid."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """A setting whose value can't be used."""

    setting: str
    """The name of the setting, as in a profile."""
    text: str
    """What is wrong and what may be set, as a sentence. Never shows the value."""

    @property
    def is_safety(self) -> bool:
        """Whether the setting limits what can be changed or paid."""
        return self.setting in SAFETY


_OF_BUNDLE = re.compile(r"\$\{user_config\.\w+\}")
"""How Claude Desktop passes a field of a bundle that was left empty."""


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
        given: dict[str, str] = {}
        for name, field in fields:
            value, variable, _ = self.get_field_value(field, name)
            # Docker's --env-file keeps quotes, and text that is pasted brings characters unseen.
            text = unquoted(value or "")
            # Hosts pass an empty variable if the user left a field empty, or the reference to it.
            left_empty = not text or (
                _OF_BUNDLE.fullmatch(text) and name not in {*SAFETY, "api_key"}
            )
            if not left_empty:
                given[variable] = text
        return given


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

    base_url: str = Field(
        TELNYX_API,
        validation_alias="TELNYX_BASE_URL",
        description="The API's address. https only, except on loopback. A key in the keyring "
        "belongs to one address.",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias="TELNYX_API_KEY",
        description="The Telnyx API v2 key, from the Mission Control Portal.",
    )
    api_key_file: Path | None = Field(
        None,
        validation_alias="TELNYX_API_KEY_FILE",
        description="A file that holds the key, instead of TELNYX_API_KEY, such as a secret of Docker or "
        "Kubernetes.",
    )
    key_from: str = Field(
        "auto",
        validation_alias="TELNYX_MCP_KEY_FROM",
        description="Where the key is: `keyring` (the system's, extra `keyring`), `env:NAME` (another "
        "variable, or NAME_FILE), or auto: TELNYX_API_KEY or TELNYX_API_KEY_FILE, else the keyring if the "
        "extra is installed.",
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
    approval: Channel = Field(
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

    @field_validator("*", mode="before")
    @classmethod
    def _filled_in(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and info.field_name != "api_key" and (why := reference_in(value)):
            raise ValueError(f"holds {why}")
        return value

    @field_validator(
        "max_payment",
        "max_per_day",
        "max_per_30_days",
        "standing_budget_per_payment",
        "standing_budget_per_day",
        mode="before",
    )
    @classmethod
    def _typed_amount(cls, value: object) -> object:
        return typed_amount(value) if isinstance(value, str) else value

    @field_validator("read_only", mode="before")
    @classmethod
    def _typed_switch(cls, value: object) -> object:
        return typed_switch(value) if isinstance(value, str) else value

    @field_validator("approval", mode="before")
    @classmethod
    def _known_channel(cls, value: object) -> object:
        channel = value.strip().lower() if isinstance(value, str) else value
        if channel not in CHANNELS:
            raise ValueError(f"must be one of {', '.join(CHANNELS)}")
        return channel

    @field_validator("timezone")
    @classmethod
    def _typed_zone(cls, value: str) -> str:
        return typed_zone(value)

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

    @field_validator("export_dir", "profiles_file", "api_key_file")
    @classmethod
    def _whole_path(cls, value: Path | None) -> Path | None:
        if value is None or not str(value).strip(" ."):
            return None
        value = without_tilde(value)
        if not value.is_absolute():
            raise ValueError("must be an absolute path, beginning with / or ~")
        return value

    @field_validator("api_key")
    @classmethod
    def _usable_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        telnyx = foreign_address(info.data.get("base_url", TELNYX_API)) is None
        return usable_key(value.get_secret_value(), telnyx=telnyx) if value else None

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
    def _usable_address(cls, value: str) -> str:
        return usable_address(value)

    _problems: tuple[SettingProblem, ...] = PrivateAttr(())

    @property
    def problems(self) -> tuple[SettingProblem, ...]:
        """The settings whose values could not be used. Each has its default here."""
        return self._problems

    def with_problems(self, problems: Iterable[SettingProblem]) -> Settings:
        """A copy with these problems, instead of its own."""
        copied = self.model_copy()
        copied._problems = tuple(problems)
        return copied

    @property
    def unusable(self) -> str | None:
        """Why nothing can be asked with these settings, in sentences; None if it can. A wrong limit only
        prevents changes, and a wrong token only matters over HTTP."""
        found = [
            each.text
            for each in self._problems
            if not each.is_safety and each.setting != "http_token"
        ]
        return " ".join(found) or None


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
