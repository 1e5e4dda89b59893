"""The roles in force. They are read again from service.toml at SIGHUP."""

from __future__ import annotations

import logging
from collections.abc import Callable

from telnyx_mcp.approval.team.roles import Roles
from telnyx_mcp.service.config import ServiceConfig
from telnyx_mcp.service.config_errors import ConfigError

_logger = logging.getLogger(__name__)


class RolesInForce:
    """What people may do now. `read` reads the configuration, or raises `ConfigError`."""

    def __init__(self, config: ServiceConfig, read: Callable[[], ServiceConfig]) -> None:
        self._config = config
        self._read = read

    @property
    def roles(self) -> Roles:
        """The roles, and the amount above which two people approve."""
        return self._config.team

    def reload(self) -> bool:
        """Reads the file again, and says in the log what happened. With a mistake in it, what was in force
        stays in force: False."""
        try:
            config = self._read()
        except ConfigError as error:
            for each in error.problems:
                _logger.error("the roles were not read again: %s", each)
            return False
        others = self._config.model_copy(
            update={"roles": config.roles, "approval": config.approval}
        )
        if others != config:
            _logger.warning("roles and approval are read again; other settings need a restart")
        self._config = others
        _logger.info("the roles were read again: %s", ", ".join(sorted(config.roles)))
        return True
