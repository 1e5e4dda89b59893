"""The bearer token that clients of `serve --http` send: made now, from the environment or a file."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from telnyx_mcp.config.typed_key import usable_token

VARIABLE = "TELNYX_MCP_HTTP_TOKEN"
LARGEST_FILE = 4096


class TokenError(Exception):
    """No token can be had as asked for. Its text says why, never showing a token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where its user finds it; nowhere but on stderr if it was made for this start."""

    value: str = field(repr=False)
    source: str | None = None


def find_token(setting: SecretStr | None, file: Path | None, *, wanted: bool) -> Token | None:
    """The token that every request must carry; None if none is wanted. Raises `TokenError`.

    Two sources are an error, as either could be the one that the user relies on.
    """
    if setting is not None and (file is not None or not wanted):
        other = "--token-file" if file else "--no-token"
        raise TokenError(f"{VARIABLE} is set, and {other} is given. Drop one of them.")
    if not wanted:
        return None
    if setting is not None:
        return Token(setting.get_secret_value(), VARIABLE)
    if file is not None:
        return Token(_of_file(file), str(file))
    return Token(secrets.token_urlsafe(32))


def _of_file(path: Path) -> str:
    """The token in the file, which is made with a new one if it is not there."""
    try:
        text = _made(path) or _read(path)
    except OSError as error:
        raise TokenError(f"{path}: {error.strerror or type(error).__name__}") from None
    try:
        return usable_token(text).get_secret_value()
    except ValueError as error:
        hint = "Delete the file to have a new token made."
        raise TokenError(f"{path}: {error}. {hint}") from None


def _made(path: Path) -> str | None:
    """A new token, written to a new file of mode 0600; None if there is a file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    token = secrets.token_urlsafe(32)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{token}\n")
    return token


def _read(path: Path) -> str:
    """What the file holds. Raises `TokenError` for one that another user can read or write."""
    # Looked at when it is open, so that it can't be exchanged in between. A FIFO does not block.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise TokenError(f"{path}: must be a regular file")
        if os.name == "posix":
            if stat.S_IMODE(about.st_mode) & 0o077:
                raise TokenError(
                    f"{path}: other users can use it. Run: chmod 600 {path}, and have a new token "
                    "made if they may have read it"
                )
            if about.st_uid != os.geteuid():
                raise TokenError(f"{path}: belongs to another user, who knows the token")
        return file.read(LARGEST_FILE).decode("latin-1")
