"""Which account a call is about, where several are configured.

A server changes one account only, the one it was started for. The others may be read, through the
`account` argument that reading tools then have; each is set up when it is first asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from telnyx_mcp.approval.thread import in_thread
from telnyx_mcp.keys import KeyNotRead
from telnyx_mcp.tools.arguments import InvalidArguments, shown
from telnyx_mcp.tools.services import Services

ARGUMENT = "account"


class Accounts:
    """The services of each account. `others` makes those of the accounts that are only read."""

    def __init__(
        self, main: Services, others: Mapping[str, Callable[[], Services]] | None = None
    ) -> None:
        self.main = main
        self._others = others or {}
        self._opened: dict[str, Services] = {}
        self._opening = anyio.Lock()

    @property
    def names(self) -> list[str]:
        """What the argument may be, the main one first; empty where there is but one."""
        return [str(self.main.account), *self._others] if self._others else []

    def schema(self) -> dict[str, Any]:
        """The argument as published."""
        return {
            "type": "string",
            "enum": self.names,
            "description": f"Which account; default {self.main.account}.",
        }

    async def chosen(
        self, arguments: Mapping[str, Any], *, changes: bool
    ) -> tuple[Services, dict[str, Any]]:
        """The services of the account named in the arguments, and the other arguments.

        Raises `InvalidArguments` for a name that is none, and where a change names an account.
        """
        if not self._others or arguments.get(ARGUMENT) is None:
            return self.main, dict(arguments)
        name = arguments[ARGUMENT]
        rest = {each: value for each, value in arguments.items() if each != ARGUMENT}
        if changes:
            raise InvalidArguments(
                f"Nothing was done: this server changes the account {self.main.account} only, whose "
                f"profile it was started with. If that is the one meant, call again without "
                f"`{ARGUMENT}`; else tell the user to start a server with that profile."
            )
        if name == self.main.account:
            return self.main, rest
        if not isinstance(name, str) or name not in self._others:
            raise InvalidArguments(
                f"Nothing was asked of Telnyx: there is no account {shown(name, quote=True)}. "
                f"`{ARGUMENT}` must be one of {', '.join(self.names)}."
            )
        return await self._other(name), rest

    async def _other(self, name: str) -> Services:
        async with self._opening:
            if name not in self._opened:
                try:
                    self._opened[name] = await in_thread(self._others[name])
                except KeyNotRead as error:
                    raise InvalidArguments(
                        f"Nothing was asked of Telnyx: the key of account {name} can't be read. "
                        f"{error} Trying again helps once the user has mended it."
                    ) from None
        return self._opened[name]

    async def aclose(self) -> None:
        for each in (self.main, *self._opened.values()):
            await each.aclose()
