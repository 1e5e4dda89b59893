"""Which account a call is about, where several are configured.

A server changes one account only, the one it was started for. The others may be read, through the
`account` argument that reading tools then have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import anyio

from telnyx_mcp.config.account_names import ARGUMENT
from telnyx_mcp.config.keys import KeyUnavailable, SettingsUnusable
from telnyx_mcp.process.daemon_thread import in_daemon_thread
from telnyx_mcp.tools.framework.arguments import quote
from telnyx_mcp.tools.framework.failure import ToolFailure, not_asked
from telnyx_mcp.tools.framework.services import Services


class Account:
    """One account, by the name the user gave it. `make` looks up its key, for which a keyring may ask the
    user, so its services are made when they are first needed, in a thread that the process leaves when
    it ends."""

    def __init__(self, name: str | None, make: Callable[[], Services]) -> None:
        self.name = name
        self.made: Services | None = None
        self._make = make
        self._making = anyio.Lock()

    @classmethod
    def ready(cls, services: Services) -> Account:
        """An account whose services exist already."""
        account = cls(services.account, lambda: services)
        account.made = services
        return account

    async def services(self) -> Services:
        """What to work with. Raises `KeyUnavailable`, and tries again at the next call then."""
        if self.made is None:
            async with self._making:
                if self.made is None:
                    self.made = await in_daemon_thread(self._make)
        return self.made


class AccountRegistry:
    """The account that the server is for, and the others, which are only read."""

    def __init__(self, main: Account, others: Iterable[Account] = ()) -> None:
        self.main = main
        self._others = {str(each.name): each for each in others}

    @property
    def names(self) -> list[str]:
        """The values of the argument, the main account first; empty if there is only one account."""
        return [str(self.main.name), *self._others] if self._others else []

    @property
    def made(self) -> list[Services]:
        """The services of each account that was needed so far."""
        return [each.made for each in (self.main, *self._others.values()) if each.made]

    async def chosen(
        self, arguments: Mapping[str, Any], *, changes: bool
    ) -> tuple[Services, dict[str, Any]]:
        """The services of the account named in the arguments, and the other arguments.

        Raises `ToolFailure` for an unknown name, if a change names another account, and if the key
        can't be read.
        """
        if not self._others or arguments.get(ARGUMENT) is None:
            return await _services(self.main), dict(arguments)
        name = arguments[ARGUMENT]
        rest = {each: value for each, value in arguments.items() if each != ARGUMENT}
        if changes:
            raise ToolFailure(
                "Nothing was done",
                f"this server changes the account {self.main.name} only, whose profile it was "
                "started with.",
                do=f"If that is the one meant, call again without `{ARGUMENT}`; else tell the user "
                "to start a server with that profile.",
            )
        if name == self.main.name:
            return await _services(self.main), rest
        if not isinstance(name, str) or name not in self._others:
            raise not_asked(
                f"there is no account {quote(name, with_marks=True)}.",
                f"`{ARGUMENT}` must be one of {', '.join(self.names)}.",
            )
        return await _services(self._others[name]), rest

    async def aclose(self) -> None:
        for each in self.made:
            await each.aclose()


async def _services(account: Account) -> Services:
    try:
        return await account.services()
    except SettingsUnusable as error:
        raise not_asked(error.why, f"Tell the user: {error.do}") from None
    except KeyUnavailable as error:
        of = f" of account {account.name}" if account.name else ""
        raise not_asked(
            f"the key{of} can't be read. {error.why}",
            error.do,
            again="Try again after the user has fixed that.",
        ) from None
