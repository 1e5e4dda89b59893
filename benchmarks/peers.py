"""Where what is compared with gets installed: beside the project's environment, not into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measurement import Unavailable

_WANTED = Path(__file__).with_name("peers.txt")
_PROJECT = Path(__file__).parents[1] / ".venv"
PLACE = Path(sys.prefix) if sys.prefix != sys.base_prefix else _PROJECT
"""The virtual environment that runs the benchmarks."""

INSTALL_SECONDS = 180

LEFT_OUT: dict[str, Unavailable] = {}
"""What was wanted in this run and can't be had here. Nothing is tried twice."""


def peers_python() -> Path:
    """The interpreter that has the packages of `peers.txt`; installs them on first use.

    Raises `Unavailable` if they can't be installed.
    """
    return _tried("peers", _install_peers)


def node_package(name: str, version: str) -> Path:
    """The directory to run Node in to import the npm package `name`; installs it on first use.

    Raises `Unavailable` if there is no Node, or the package can't be installed.
    """
    return _tried(name, lambda: _install_node_package(name, version))


def _tried(name: str, install: Callable[[], Path]) -> Path:
    if name in LEFT_OUT:
        raise LEFT_OUT[name]
    try:
        return install()
    except Unavailable as reason:
        LEFT_OUT[name] = reason
        raise


def _install_peers() -> Path:
    place = PLACE / "bench-peers"
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = place / "installed.txt"
    wanted = f"{sys.version}\n{_WANTED.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    tell("peers: installing the packages of benchmarks/peers.txt (once)")
    try:
        venv.create(place, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"no virtual environment could be made for them ({error})") from None
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")
    _run_installer((*pip, "install", "--retries", "1", "-r", str(_WANTED)))
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _install_node_package(name: str, version: str) -> Path:
    if not (shutil.which("node") and (npm := shutil.which("npm"))):
        raise Unavailable("Node.js and npm are not installed")
    place = PLACE / "bench-node"
    stamp = place / f"{name}-{version}.installed"
    if not stamp.exists():
        tell(f"{name}: installing it (once)")
        place.mkdir(parents=True, exist_ok=True)
        quiet = ("--no-save", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error")
        _run_installer((npm, "install", "--prefix", str(place), *quiet, f"{name}@{version}"))
        stamp.touch()
    return place


def _run_installer(command: Sequence[str]) -> None:
    """Raises `Unavailable` with the first error the installer told if it fails."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not installed within {INSTALL_SECONDS} s") from None
    if done.returncode:
        errors = [
            each for each in done.stderr.splitlines() if each.startswith(("ERROR", "npm error"))
        ]
        raise Unavailable(f"could not be installed: {(errors or ['no reason given'])[0][:300]}")


def tell(text: str) -> None:
    """Progress, for whoever waits; the table alone goes to stdout."""
    print(text, file=sys.stderr, flush=True)
