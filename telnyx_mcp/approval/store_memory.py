"""Detects a store that was replaced, from a small file outside of it.

A store that was deleted, emptied or restored from a backup lacks the payments made since, and would
allow them again. So the id of the store and the change that was sent last are kept in a
small file: beside a SQLite file that the user named, and in the user's configuration directory for
the default file and for PostgreSQL. The default file's folder may be deleted as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from telnyx_mcp.config.paths import config_folder
from telnyx_mcp.storage.url import Database


@dataclass(frozen=True, slots=True)
class Remembered:
    """The store that changes were sent with, and the last of them."""

    store: str
    last_sent: str


@dataclass(frozen=True, slots=True)
class StoreMemory:
    """The file that remembers one store."""

    file: Path

    @classmethod
    def of(cls, database: Database | None) -> StoreMemory:
        """The memory of this store; of the default one for None."""
        if database and database.file:
            return cls(database.file.with_name(f"{database.file.stem}.sent.json"))
        name = "default"
        if database:
            known = sorted(
                set(database.server.items()) - {("password", database.server.get("password"))}
            )
            name = hashlib.sha256(repr(known).encode()).hexdigest()[:16]
        return cls(config_folder() / "stores" / f"{name}.sent.json")

    def read(self) -> Remembered | None:
        """What is remembered; None if nothing is, or it can't be read."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            stored = json.loads(self.file.read_text(encoding="utf-8"))
            return Remembered(str(stored["store"]), str(stored["last_sent"]))
        return None

    def write(self, remembered: Remembered) -> bool:
        """Replaces the file as a whole. False if it could not be written."""
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".sent", dir=self.file.parent)
        except OSError:
            return False
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as new:
                json.dump(asdict(remembered), new)
                new.flush()
                os.fsync(new.fileno())
            Path(name).replace(self.file)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            return False
        return True

    def forget(self) -> None:
        """Forgets the store. Raises `OSError`."""
        self.file.unlink(missing_ok=True)
