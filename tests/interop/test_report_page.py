"""The report of a month in Chromium: axe-core finds nothing, in both schemes and on both sizes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.processes import NODE_MODULES
from tests.support.chromium import DESKTOP, NEEDS_CHROMIUM, PHONE, Browser, chromium
from tests.support.server_process import COMMAND

pytestmark = [pytest.mark.interop, NEEDS_CHROMIUM]

AXE = NODE_MODULES / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
SECONDS = 120


def test_axe_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make interop")
    page = tmp_path / "may.html"
    report = (*COMMAND, "report", "--sandbox", "--month", "2026-05", "--html", str(page))
    subprocess.run(report, check=True, capture_output=True, timeout=SECONDS)
    with chromium(tmp_path) as browser:
        for size in (DESKTOP, PHONE):
            for scheme in ("light", "dark"):
                assert judged(browser, page.as_uri(), size, scheme) == [], (size, scheme)


def judged(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> list[object]:
    """What axe has to say about the page, and whether it is wider than the screen."""
    browser.size(size)
    browser.scheme(scheme)
    browser.go(url)
    # From outside, as the page itself allows no scripts.
    browser.devtools("Runtime.evaluate", expression=AXE.read_text("utf-8"))
    run = f"axe.run({{runOnly: {list(RULES)}}}).then((found) => JSON.stringify(found.violations))"
    result = browser.devtools(
        "Runtime.evaluate", expression=run, awaitPromise=True, returnByValue=True
    )
    violations = json.loads(result["result"]["value"])
    wide = browser.value_of("document.documentElement.scrollWidth > window.innerWidth")
    found: list[object] = [
        (each["id"], [node["html"] for node in each["nodes"]]) for each in violations
    ]
    return [*found, *(["wider than the screen"] if wide else [])]
