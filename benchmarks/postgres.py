"""A PostgreSQL of our own: in a new folder, on a socket there and on no port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measurement import Unavailable
from benchmarks.peers import LEFT_OUT

NAME = "PostgreSQL"
WHERE_DEBIAN_HAS_IT = Path("/usr/lib/postgresql")
START_SECONDS = 60


@contextmanager
def running_postgres() -> Iterator[str]:
    """Its URL, as `TELNYX_MCP_STATE_URL` takes it.

    Raises `Unavailable`, and notes the reason, where there is none to start.
    """
    try:
        programs = _programs()
    except Unavailable as reason:
        LEFT_OUT[NAME] = reason
        raise
    with TemporaryDirectory(prefix="bench-") as folder:
        data = str(Path(folder) / "data")
        settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
        control = [str(programs / "pg_ctl"), "-D", data]
        user = _unprivileged()
        if user:
            shutil.chown(folder, user)
        try:
            _run([str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust"], user)
            _run([*control, "-l", f"{data}/log", "-w", "-o", settings, "start"], user)
        except (OSError, subprocess.SubprocessError) as error:
            LEFT_OUT[NAME] = Unavailable(f"could not be started: {error}")
            raise LEFT_OUT[NAME] from None
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            _run([*control, "-m", "immediate", "stop"], user)


def _programs() -> Path:
    if sys.platform == "win32":
        raise Unavailable("it is started on POSIX systems only")
    if not find_spec("psycopg"):
        raise Unavailable("its driver is not installed (psycopg[binary])")
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(WHERE_DEBIAN_HAS_IT.glob("*/bin/initdb"))
    if not versions:
        raise Unavailable("it is not installed (no initdb)")
    return versions[-1].parent


def _unprivileged() -> str | None:
    """Who is to run it: it refuses to run as root."""
    if sys.platform == "win32" or os.getuid() != 0:
        return None
    import pwd

    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: Sequence[str], user: str | None) -> None:
    # Its log is a file: a server that inherited a pipe would keep whoever reads it waiting.
    subprocess.run(
        command,
        check=True,
        cwd="/",
        user=user,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=START_SECONDS,
    )
