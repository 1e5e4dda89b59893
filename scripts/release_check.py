"""Does everything for a release up to the upload, and says what to type for that.

`make release-check` runs it. Each step prints a line; the first that fails ends it with status 1. Builds in a
temporary folder and changes nothing in the checkout.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from telnyx_mcp import __version__

ROOT = Path(__file__).parents[1]
SHIPPED = (
    "telnyx_mcp/front/book.json",
    "telnyx_mcp/py.typed",
    "telnyx_mcp/_prompts/monthly-review.md",
)
MINUTES = 15
CONVERSATION: list[dict[str, object]] = [
    {
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "release-check", "version": "1"},
        },
    },
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
]


class NotReady(Exception):
    """Why this can't be released. Its text says what to do."""


def run(*command: str | Path, given: str | None = None, cwd: Path = ROOT) -> str:
    """What a command prints. Raises `NotReady` with its last lines if it fails."""
    done = subprocess.run(
        [str(each) for each in command],
        input=given,
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=MINUTES * 60,
        check=False,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise NotReady(f"{Path(str(command[0])).name} failed:\n  " + "\n  ".join(lines))
    return done.stdout


def newest_in(changelog: str) -> str:
    """The heading of the newest release, without its date. Raises `NotReady`."""
    found = re.search(r"^## \[?([^\s\]]+)", changelog, re.MULTILINE)
    if found is None:
        raise NotReady("CHANGELOG.md has no heading of a release: ## 1.2.3 (2026-12-31)")
    return found[1]


def disagreement(versions: Mapping[str, str]) -> str | None:
    """Where two places name different versions; None if all agree."""
    if len(set(versions.values())) == 1:
        return None
    named = ", ".join(f"{place} says {version}" for place, version in versions.items())
    return f"the versions differ: {named}. A release has the same everywhere"


def check_tree(_folder: Path) -> str:
    if changed := run("git", "status", "--porcelain").splitlines():
        raise NotReady(
            f"{len(changed)} files differ from the commit: commit them, or set them aside"
        )
    return run("git", "rev-parse", "--short", "HEAD").strip()


def check_versions(_folder: Path) -> str:
    server = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    found = {
        "telnyx_mcp": __version__,
        "CHANGELOG.md": newest_in((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")),
        "server.json": str(server["version"]),
    }
    if why := disagreement(found):
        raise NotReady(why)
    return __version__


def build(folder: Path) -> str:
    run(sys.executable, "-m", "hatchling", "build", "-d", folder / "dist")
    wheel = next((folder / "dist").glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    if missing := [each for each in SHIPPED if each not in names]:
        raise NotReady(f"the wheel lacks {', '.join(missing)}")
    return ", ".join(sorted(each.name for each in (folder / "dist").iterdir()))


def check_metadata(folder: Path) -> str:
    run(sys.executable, "-m", "venv", folder / "twine")
    python = folder / "twine" / "bin" / "python"
    run(python, "-m", "pip", "install", "--disable-pip-version-check", "-qq", "twine")
    run(python, "-m", "twine", "check", "--strict", *sorted((folder / "dist").iterdir()))
    return "an index can read name, licence and README"


def install(folder: Path) -> str:
    """As the image does: the locked packages by their hashes, then the wheel alone."""
    run(sys.executable, "-m", "venv", folder / "user")
    pip = (
        folder / "user" / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-qq",
    )
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.txt")
    run(*pip, "--no-deps", next((folder / "dist").glob("*.whl")))
    command = folder / "user" / "bin" / "telnyx-account-mcp"
    version = run(command, "--version", cwd=folder).strip()
    run(command, "doctor", "--sandbox", cwd=folder)
    said = "".join(json.dumps({"jsonrpc": "2.0", **each}) + "\n" for each in CONVERSATION)
    answers = [json.loads(line) for line in run(command, given=said, cwd=folder).splitlines()]
    return f"{version}; it lists {len(answers[-1]['result']['tools'])} tools"


def bundle(_folder: Path) -> str:
    if not shutil.which("npm"):
        return "not tried: npm is missing"
    run("make", "bundle")
    return "dist/telnyx-account-mcp.mcpb"


STEPS: Mapping[str, Callable[[Path], str]] = {
    "the commit": check_tree,
    "the version": check_versions,
    "wheel and sdist": build,
    "their metadata": check_metadata,
    "a new installation": install,
    "the bundle": bundle,
}

PUBLISH = """
Ready. To publish, which can't be undone:
  git tag v{version} && git push origin v{version}
  .venv/bin/python -m hatchling build && uvx twine upload dist/*.whl dist/*.tar.gz
  mcp-publisher publish        # server.json, to the MCP registry, after the upload
and attach dist/telnyx-account-mcp.mcpb to the release. Only then may README name the index."""


def main(steps: Mapping[str, Callable[[Path], str]] = STEPS) -> int:
    with TemporaryDirectory(prefix="release-") as name:
        for step, check in steps.items():
            began = monotonic()
            try:
                found = check(Path(name))
            except (NotReady, OSError, subprocess.TimeoutExpired) as why:
                print(f"{step}: NOT READY. {why}")
                return 1
            print(f"{step}: {found} ({monotonic() - began:.0f} s)", flush=True)
    print(PUBLISH.format(version=__version__))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
