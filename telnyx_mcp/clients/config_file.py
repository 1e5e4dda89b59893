"""A client's configuration file: read whole, written whole or not at all, never without a backup."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from telnyx_mcp.clients.errors import ClientConfigError

_BOM = "\ufeff"
BACKUP = ".telnyx-backup"
"""What a backup's name ends in. There is one of each file: the content before the last change."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file as it was read. `path` has links resolved; `text` is empty if there is no file."""

    path: Path
    text: str
    raw: bytes | None

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        """Raises `ClientConfigError` for a file that is not UTF-8 text or can't be opened."""
        try:
            real = path.resolve()
            raw = real.read_bytes()
            return cls(real, raw.decode("utf-8").removeprefix(_BOM), raw)
        except FileNotFoundError:
            return cls(real, "", None)
        except UnicodeDecodeError:
            raise ClientConfigError(f"{path} is not UTF-8 text, so it was left as it is") from None
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
            raise ClientConfigError(f"{path} can't be read: {_why(error)}") from None

    def write(self, text: str, *, private: bool, mode: int = 0o600) -> None:
        """Replaces the file with this text atomically.

        `private`: nobody else may read it. `mode` is that of a new file. Raises `ClientConfigError`, also
        if the file was changed after it was read.
        """
        marked = self.raw is not None and self.raw.startswith(_BOM.encode())
        new = ((_BOM if marked else "") + text).encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.raw is None:
                self._replace(self.path, new, mode, None)
            else:
                stat = self.path.stat()
                self._replace(self.path, new, stat.st_mode & (0o700 if private else 0o777), stat)
        except OSError as error:
            raise ClientConfigError(f"{self.path} can't be written: {_why(error)}") from None

    def back_up(self) -> Path | None:
        """Keeps the content beside the file, in place of an earlier backup, and returns that file; None
        if there was none. It may hold keys of other servers, so only its owner reads it. Raises
        `ClientConfigError`."""
        if self.raw is None:
            return None
        backup = self.path.with_name(self.path.name + BACKUP)
        try:
            self._replace(backup, self.raw, 0o600, self.path.stat())
        except OSError as error:
            raise ClientConfigError(f"{backup} can't be written: {_why(error)}") from None
        return backup

    def _replace(self, path: Path, new: bytes, mode: int, stat: os.stat_result | None) -> None:
        descriptor, name = tempfile.mkstemp(".new", f".{self.path.name}.", self.path.parent)
        written = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(descriptor)
            if stat:
                _copy_owner(written, stat)
            written.chmod(mode)
            if (self.path.read_bytes() if self.path.exists() else None) != self.raw:
                raise ClientConfigError(
                    f"{self.path} was changed by another program in the meantime: run the command again"
                )
            written.replace(path)
        finally:
            written.unlink(missing_ok=True)


def _copy_owner(file: Path, stat: os.stat_result) -> None:
    """Gives the file to the owner of the old one: a file written with `sudo` must not belong to root."""
    if sys.platform != "win32":
        with suppress(PermissionError):  # only root can, and only root has to
            os.chown(file, stat.st_uid, stat.st_gid)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
