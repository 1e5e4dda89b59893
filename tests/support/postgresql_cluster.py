"""A PostgreSQL cluster of the tests' own in a temporary folder, on a socket there and on no port."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.proxy import Streams

if TYPE_CHECKING:
    import psycopg

USER = "postgres"
SECONDS = 60


class Cluster:
    """A running PostgreSQL."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._names = (f"faults_{number}" for number in count())

    @property
    def unprivileged(self) -> list[str]:
        """PostgreSQL refuses to run as root; its package brings a user for it."""
        return ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []

    def create(self) -> None:
        data = ("-D", str(self.folder / "data"))
        self.runs("initdb", *data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}'"
        self.runs(
            "pg_ctl",
            "-D",
            f"{self.folder}/data",
            "-l",
            f"{self.folder}/log",
            "-w",
            "-o",
            options,
            "start",
        )

    def stop(self) -> None:
        """Ends it as a crash would."""
        self.runs("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def new_database(self) -> str:
        """The name of an empty one."""
        name = next(self._names)
        self.sql(f"CREATE DATABASE {name}")
        return name

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Runs one statement, and returns its rows."""
        with self.connected(database) as connection:
            cursor = connection.execute(statement.encode())
            return list(cursor) if cursor.description else []

    def connected(self, database: str) -> psycopg.Connection:
        """A connection without a proxy, in autocommit."""
        import psycopg

        where = {"host": str(self.folder), "user": USER, "dbname": database}
        return psycopg.connect(**where, autocommit=True, connect_timeout=SECONDS)  # type: ignore[arg-type]

    def connect(self) -> Awaitable[Streams]:
        """The way of a proxy to it."""
        return asyncio.open_unix_connection(f"{self.folder}/.s.PGSQL.5432")

    def url(self, database: str, port: int | None = None) -> str:
        """The store's address: by the socket, or by a proxy's port."""
        if port is None:
            return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"
        return f"postgresql+psycopg://{USER}@127.0.0.1:{port}/{database}?sslmode=disable"

    def runs(self, program: str, *arguments: str) -> None:
        command = [*self.unprivileged, str(self._programs / program), *arguments]
        with (self.folder / "commands.log").open("ab") as log:  # a pipe would be kept by the server
            done = subprocess.run(
                command, cwd=self.folder, stdout=log, stderr=log, timeout=SECONDS, check=False
            )
        assert done.returncode == 0, (self.folder / "commands.log").read_text()[-2000:]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A new cluster; skips the test where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL here")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    cluster = Cluster(folder, programs)
    try:
        cluster.create()
        yield cluster
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def _version(initdb: Path) -> float:
    return float(initdb.parents[1].name)
