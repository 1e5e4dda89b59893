"""Every reason why a client's file can't be changed, as an error of the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telnyx_mcp.cli.errors import not_done, wrongly_called
from telnyx_mcp.clients.client import Client
from telnyx_mcp.clients.errors import ClientConfigError, UnreadableConfig, UnsafeEdit
from telnyx_mcp.config.keys import KeyUnavailable
from telnyx_mcp.config.profiles import SettingsError


@contextmanager
def failures_as_command_errors(client: Client, file: Path | None) -> Iterator[None]:
    """Raises `CommandError` in place of what the configuration, the keyring and the settings raise."""
    try:
        yield
    except UnreadableConfig as error:
        raise not_done(
            f"Nothing was written: {client.title}'s file {file} can't be read ({error}). Fix it there, or "
            "add what --print shows by hand."
        ) from None
    except UnsafeEdit:
        raise not_done(
            f"Nothing was written: {client.title}'s file {file} is written in a way that it can't be "
            "changed in safely. Change it by hand; install --print shows the entry."
        ) from None
    except SettingsError as error:
        raise wrongly_called(error) from None
    except (ClientConfigError, KeyUnavailable) as error:
        raise not_done(error) from None
