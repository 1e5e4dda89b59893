"""The page in a real browser: by mouse, by keyboard, without scripts, on a phone, in the dark."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from telnyx_mcp.approval.change import State
from telnyx_mcp.approval.channels.browser import BrowserPages, open_in_browser
from telnyx_mcp.approval.ledger import Ledger
from tests.support.approval_page import (
    PAYMENT_QUESTION,
    RECHARGE_QUESTION,
    Desk,
    Page,
    open_ledger_in,
    shown,
)
from tests.support.chromium import (
    CHROMIUM,
    DESKTOP,
    DRIVER,
    FLAGS,
    MISSING,
    PATIENCE,
    Browser,
    running_chromium,
)
from tests.support.clock import Clock
from tests.support.polling import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason=MISSING,
    ),
]
TAB, ENTER, SPACE, SHIFT, RELEASE = "\ue004", "\ue007", " ", "\ue008", "\ue000"


@pytest.fixture(scope="module")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """A light browser of a desktop's size, on an empty page."""
    _chromium.go("about:blank")
    _chromium.size(DESKTOP)
    _chromium.scheme("light")
    _chromium.complaints()
    yield _chromium
    _chromium.devtools("Emulation.setScriptExecutionDisabled", value=False)
    assert _chromium.complaints() == []


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger_in(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def page(ledger: Ledger, now: Clock) -> Iterator[Page]:
    """The page of a payment of 120.00."""
    desk = Desk()
    pages = BrowserPages(now, desk)
    yield shown(ledger, pages, desk, now)
    pages.close()


@pytest.fixture
def recharge(ledger: Ledger, now: Clock) -> Iterator[Page]:
    """The page of a change of the auto-recharge."""
    desk = Desk()
    pages = BrowserPages(now, desk)
    yield shown(ledger, pages, desk, now, None)
    pages.close()


def test_the_private_file_leads_to_the_question(browser: Browser, page: Page) -> None:
    browser.go(page.desk.files[0].as_uri())
    arrives(browser, page.link)
    for line in PAYMENT_QUESTION.text.splitlines():
        assert line in " ".join(browser.value_of("document.body.textContent").split())
    assert browser.value_of("document.title") == "Pay 120.00 USD · telnyx-account-mcp"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs a process list")
def test_a_browser_started_with_the_file_loads_the_page_and_no_process_names_the_secret(
    ledger: Ledger, now: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, profile = tmp_path / "started", tmp_path / "profile"
    script = tmp_path / "browser"
    flags = [*FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    script.write_text(
        f'#!/bin/sh\n{CHROMIUM} {" ".join(flags)} "$@" &\necho $! >{started}\n', "utf-8"
    )
    script.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{script} %s")
    desk = Desk()
    pages = BrowserPages(now, lambda file: desk(file) and open_in_browser(file))
    try:
        page = shown(ledger, pages, desk, now)
        wait_until(lambda: not page.desk.files[0].exists(), PATIENCE)
        processes = [_read(each) for each in Path("/proc").glob("[0-9]*/cmdline")]
        secret = page.link.rpartition("/")[2].encode()
        assert any(page.desk.files[0].name.encode() in each for each in processes)
        assert not any(secret in each for each in processes)
    finally:
        pages.close()
        os.kill(int(started.read_text("utf-8")), signal.SIGTERM)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_the_typed_amount_approves(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.type("#amount", "120.00")
    browser.click("button.go")
    browser.shows("Approved")
    assert page.state() is State.APPROVED


def test_a_wrong_amount_is_reported_and_can_be_typed_again(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.type("#amount", "12.00")
    browser.click("button.go")
    arrives(browser, f"{page.link}?again=")
    assert "not the amount" in browser.text(".error")
    assert page.state() is State.PROPOSED
    browser.reload()
    assert "not the amount" in browser.text(".error")
    assert browser.focused() == "amount"
    browser.type("#amount", "$120")
    browser.click("button.go")
    browser.shows("Approved")


def test_declining_needs_no_typing(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.click("button.stop")
    browser.shows("Declined")
    assert page.state() is State.DECLINED


def test_a_ticked_box_approves_another_change(browser: Browser, recharge: Page) -> None:
    browser.go(recharge.link)
    for line in RECHARGE_QUESTION.text.splitlines():
        assert line in browser.value_of("document.body.textContent")
    browser.click("button.go")
    assert recharge.state() is State.PROPOSED
    browser.click(".tick")
    browser.click("button.go")
    browser.shows("Approved")
    assert recharge.state() is State.APPROVED


def test_reloading_and_going_back_decide_nothing_again(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.click("button.stop")
    browser.shows("Declined")
    browser.reload()
    browser.shows("Declined")
    browser.back()
    browser.go(page.link)
    browser.shows("Declined")
    assert browser.value_of("document.forms.length") == 0
    assert page.state() is State.DECLINED


def test_a_page_from_before_the_decision_shows_the_decision(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    page.ledger.decline(page.change.id, "terminal", page.now())
    browser.type("#amount", "120.00")
    browser.click("button.go")
    browser.shows("Declined")
    assert page.state() is State.DECLINED


def test_a_double_click_decides_once(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.type("#amount", "120.00")
    browser.double_click("button.go")
    arrives(browser, page.link)
    browser.shows("Approved")
    assert page.state() is State.APPROVED


def test_the_outcome_appears_by_itself(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.type("#amount", "120.00")
    browser.click("button.go")
    browser.shows("Approved")
    page.ledger.claim(page.change.id, page.now())
    page.ledger.record(page.change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, page.now())
    browser.shows("Done")


def test_it_can_be_answered_by_keyboard_alone(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    order = []
    for _ in range(3):
        browser.press(TAB)
        order.append(browser.focused())
        assert browser.value_of("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    assert order == ["amount", "Pay 120.00 USD", "Decline"]
    browser.go(page.link)
    browser.press(TAB, *"120.00", ENTER)
    browser.shows("Approved")


def test_it_can_be_declined_and_ticked_by_keyboard_alone(
    browser: Browser, page: Page, ledger: Ledger, recharge: Page
) -> None:
    browser.go(page.link)
    browser.press(TAB, TAB, TAB, ENTER)
    browser.shows("Declined")
    browser.go(recharge.link)
    browser.press(TAB, SPACE, TAB, ENTER)
    browser.shows("Approved")


def test_an_empty_answer_is_held_back_by_the_browser(browser: Browser, page: Page) -> None:
    browser.go(page.link)
    browser.press(TAB, ENTER)
    browser.click("button.go")
    assert browser.url == page.link
    assert page.state() is State.PROPOSED


def test_it_works_with_scripts_disabled(browser: Browser, page: Page) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    browser.go(page.desk.files[0].as_uri())
    arrives(browser, page.link)
    browser.press(TAB, *"12", ENTER)
    arrives(browser, f"{page.link}?again=")
    assert browser.focused() == "amount"
    browser.press(*"120.00", ENTER)
    arrives(browser, page.link)
    assert page.state() is State.APPROVED


@pytest.mark.parametrize("width", [320, 375, 768, 1440])
def test_nothing_sticks_out_at_any_width(
    browser: Browser, page: Page, recharge: Page, width: int
) -> None:
    browser.size((width, 700))
    for link in (page.link, f"{page.link}?again=", recharge.link):
        browser.go(link)
        assert browser.value_of("document.documentElement.scrollWidth") <= width
        assert browser.value_of("document.querySelector('button.go').offsetHeight") >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_contrasts_with_its_background(
    browser: Browser, page: Page, recharge: Page, scheme: str
) -> None:
    browser.scheme(scheme)
    grounds = set()
    for link in (page.link, f"{page.link}?again=", recharge.link):
        browser.go(link)
        assert browser.value_of(CONTRAST) >= 4.5
        grounds.add(browser.value_of("getComputedStyle(document.body).backgroundColor"))
    page.post({"decision": "approve", "amount": "120.00"})
    for _ in range(2):  # the page that withdraws, then the one that resolves
        browser.go(page.link)
        assert browser.value_of(CONTRAST) >= 4.5
        page.ledger.claim(page.change.id, page.now())
        page.ledger.record(page.change.id, State.UNKNOWN, "No answer came.", {}, page.now())
    browser.go(page.link)
    assert browser.value_of(CONTRAST) >= 4.5
    assert grounds == {"rgb(238, 241, 245)" if scheme == "light" else "rgb(14, 18, 24)"}


def test_an_approval_is_withdrawn_by_a_click(browser: Browser, page: Page) -> None:
    page.post({"decision": "approve", "amount": "120.00"})
    browser.go(page.link)
    browser.click("button.stop")
    browser.shows("Declined")
    assert page.state() is State.DECLINED


def test_an_unknown_payment_is_resolved_by_typing_its_amount(browser: Browser, page: Page) -> None:
    page.post({"decision": "approve", "amount": "120.00"})
    page.ledger.claim(page.change.id, page.now())
    page.ledger.record(page.change.id, State.UNKNOWN, "No answer came.", {}, page.now())
    browser.go(page.link)
    browser.shows("Outcome unknown")
    browser.type("#amount", "120.00")
    browser.click("button[value=paid]")
    browser.shows("Done")
    assert page.state() is State.SUCCEEDED


def test_a_form_of_another_site_does_not_answer(
    browser: Browser, page: Page, tmp_path: Path
) -> None:
    """Not even one that knows the secret."""
    evil = tmp_path / "evil.html"
    evil.write_text(
        f'<form method="post" action="{page.link}"><input name="decision" value="decline">'
        "<button>Win</button></form>",
        "utf-8",
    )
    browser.go(evil.as_uri())
    browser.click("button")
    browser.shows("Not from here")
    assert page.state() is State.PROPOSED
    assert any("403" in message for message in browser.complaints())


def test_it_can_not_be_framed(browser: Browser, page: Page, tmp_path: Path) -> None:
    framing = tmp_path / "framing.html"
    framing.write_text(f'<iframe src="{page.link}"></iframe>', "utf-8")
    browser.go(framing.as_uri())
    assert any("frame-ancestors" in message for message in browser.complaints())


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
