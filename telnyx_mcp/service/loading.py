"""Everything that a replica is started with, read and checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from telnyx_mcp.config.environment import misspelt, warnings
from telnyx_mcp.config.profiles import SettingsError, configured
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.service.config import ServiceConfig, read_config
from telnyx_mcp.service.config_errors import ConfigError
from telnyx_mcp.service.roles_file import RolesInForce
from telnyx_mcp.service.secrets_of import Secrets, read_secrets


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, the secrets, and the settings of the account."""

    config: ServiceConfig
    secrets: Secrets
    settings: Settings
    """With the key and the address of the database."""
    roles: RolesInForce
    notes: tuple[str, ...] = ()
    """What has no effect, or blocks changes: sentences for the operator."""


def load(file: Path, environment: Mapping[str, str]) -> Loaded:
    """What this file and the environment say. The account's settings are those of `os.environ`.

    Raises `ConfigError` with everything that is wrong, of all of them.
    """
    problems: list[str] = []
    config = settings = secrets = None
    try:
        config = read_config(file, environment)
    except ConfigError as error:
        problems += error.problems
    try:
        secrets = read_secrets(environment, config)
    except ConfigError as error:
        problems += error.problems
    try:
        settings = configured().main
    except SettingsError as error:
        problems.append(str(error))
    if config is None or secrets is None or settings is None:
        raise ConfigError(problems)
    settings = settings.model_copy(
        update={
            "api_key": secrets.api_key,
            "api_key_file": None,
            "state_url": SecretStr(secrets.state_url.get_secret_value()),
        }
    )
    found = misspelt(environment, [settings])
    roles = RolesInForce(config, partial(read_config, file, environment))
    notes = tuple(warnings([*settings.problems, *found]))
    return Loaded(config, secrets, settings, roles, notes)
