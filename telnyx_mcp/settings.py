"""What a user may set: one class, every setting described. Nothing else reads the environment."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

TELNYX_API = "https://api.telnyx.com/v2"


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses of the loopback ranges (127.0.0.0/8, ::1)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """The settings of one server, read once from the environment.

    Raises `pydantic.ValidationError` for a value that can't be used. `TELNYX_API_KEY` and
    `TELNYX_BASE_URL` are named as in Telnyx's own SDKs.
    """

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    api_key: SecretStr | None = Field(
        None,
        validation_alias="TELNYX_API_KEY",
        description="The Telnyx API v2 key, from the Mission Control Portal.",
    )
    base_url: str = Field(
        TELNYX_API,
        validation_alias="TELNYX_BASE_URL",
        description="The API's address, with `/v2`. https only, except on loopback.",
    )
    read_only: bool = Field(
        False,
        validation_alias="TELNYX_MCP_READ_ONLY",
        description="Refuse every request that is not a GET, and hide the tools that change something.",
    )

    @field_validator("api_key")
    @classmethod
    def _usable_key(cls, value: SecretStr | None) -> SecretStr | None:
        """An empty key is no key; one that can't stand in a header is refused, unseen."""
        key = value.get_secret_value().strip() if value else ""
        if not key:
            return None
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                "the key holds spaces or characters that no API key has; copy it again"
            )
        return SecretStr(key)

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
        return value
