"""A real browser for the pages: Chromium, driven by plain WebDriver."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.polling import wait_until

PATIENCE = 20.0
"""Seconds that the browser has to show a page."""
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_CHROMIUM = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)",
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB, ENTER, SPACE, SHIFT, RELEASE = "\ue004", "\ue007", " ", "\ue008", "\ue000"
DESKTOP, PHONE = (1100, 900), (320, 640)


@dataclass
class Browser:
    """Chromium, driven by plain WebDriver."""

    session: httpx.Client

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.session.request(method, path, json=body if method == "POST" else None)
        told = answer.json()["value"]
        assert answer.is_success, told
        return told

    def go(self, url: str) -> None:
        self.ask("POST", "/url", url=url)

    def reload(self) -> None:
        self.ask("POST", "/refresh")

    def back(self) -> None:
        self.ask("POST", "/back")

    @property
    def url(self) -> str:
        return str(self.ask("GET", "/url"))

    def element(self, css: str) -> str:
        """The element; waits for one, as a click is done before the page it leads to is there."""
        found = self.ask("POST", "/element", using="css selector", value=css)
        return f"/element/{found[ELEMENT]}"

    def text(self, css: str = "body") -> str:
        return str(self.ask("GET", f"{self.element(css)}/text"))

    def shows(self, heading: str) -> None:
        """Waits for the page with this heading."""
        now = "document.querySelector('h1')?.textContent"
        wait_until(lambda: self.value_of(now) == heading, PATIENCE)

    def click(self, css: str) -> None:
        self.ask("POST", f"{self.element(css)}/click")

    def type(self, css: str, text: str) -> None:
        self.ask("POST", f"{self.element(css)}/value", text=text)

    def press(self, *keys: str) -> None:
        """Keys as from the keyboard, wherever the focus is."""
        pressed = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": pressed}])

    def double_click(self, css: str) -> None:
        origin = {ELEMENT: self.element(css).rpartition("/")[2]}
        move = {"type": "pointerMove", "origin": origin, "x": 0, "y": 0, "duration": 0}
        clicks = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")] * 2
        mouse = {"type": "pointer", "id": "mouse", "actions": [move, *clicks]}
        self.ask("POST", "/actions", actions=[mouse])

    def value_of(self, expression: str) -> Any:
        """What an expression comes to; asked from outside, so also where scripts are off."""
        return self.devtools("Runtime.evaluate", expression=expression)["result"].get("value")

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self.ask("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def size(self, size: tuple[int, int]) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )

    def scheme(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def focused(self) -> str:
        """The text of the element that has the focus."""
        it = "document.activeElement"
        return str(self.value_of(f"{it}.id || {it}.innerText || {it}.name"))

    def complaints(self) -> list[str]:
        """What the console says, other than that there is no icon."""
        entries = self.ask("POST", "/se/log", type="browser")
        return [each["message"] for each in entries if "favicon" not in each["message"]]

    def screenshot(self, file: Path) -> None:
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = self.devtools("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """One Chromium with a profile of its own, in this folder."""
    assert CHROMIUM
    assert DRIVER
    profile, log = folder / "profile", folder / "log"
    with log.open("wb") as out:
        driver = subprocess.Popen([DRIVER, "--port=0"], stdout=out, stderr=out)
    try:
        address = f"http://127.0.0.1:{_port(log, driver)}/session"
        with httpx.Client(verify=False, trust_env=False, timeout=60) as session:
            options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}"]}
            wanted = {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
                "timeouts": {"implicit": 10_000},
            }
            made = session.post(address, json={"capabilities": {"alwaysMatch": wanted}})
            assert made.is_success, made.text
            own = f"{address}/{made.json()['value']['sessionId']}"
            session.base_url = httpx.URL(own)
            yield Browser(session)
            assert session.delete(own).is_success
    finally:
        driver.terminate()
        driver.wait(10)


def _port(log: Path, driver: subprocess.Popen[bytes]) -> str:
    started = re.compile(r"successfully on port (\d+)")
    wait_until(lambda: started.search(log.read_text("utf-8")) or driver.poll() is not None)
    found = started.search(log.read_text("utf-8"))
    assert found, f"chromedriver did not start: {log.read_text('utf-8')}"
    return found[1]


@contextmanager
def fresh(browser: Browser) -> Iterator[Browser]:
    """The browser, light and of a desktop's size, on an empty page. Every complaint of its console has
    to be expected."""
    browser.go("about:blank")
    browser.size(DESKTOP)
    browser.scheme("light")
    browser.complaints()
    yield browser
    browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.complaints() == []


def arrives(browser: Browser, url: str) -> None:
    """Waits until the browser is there."""
    there = (url, "complete")
    wait_until(lambda: (browser.url, browser.value_of("document.readyState")) == there, PATIENCE)


CONTRAST = """
(() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = parts(text).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor, [, , , alpha = 1] = parts(colour);
      if (alpha > 0) return colour;
    }
  };
  const worst = [...document.body.querySelectorAll('*')]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((e) => [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a))
    .map(([high, low]) => (high + 0.05) / (low + 0.05));
  return Math.min(...worst);
})()
"""
"""The lowest contrast of any text with what is behind it, as WCAG counts it."""
