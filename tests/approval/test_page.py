"""The page in the browser decides once, for whoever holds its link, and for nobody else."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import httpx
import pytest

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.channels.browser import BrowserPages, open_in_browser, users_browser
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import StoreError
from tests.support.approval_page import (
    DECLINES,
    PAYMENT_QUESTION,
    PAYS,
    RECHARGE_QUESTION,
    TICKS,
    Desk,
    Page,
    answer_when_shown,
    answers,
    fetch,
    open_ledger_in,
    propose,
    shown,
    visible,
    wire,
)
from tests.support.client import Mode, connected, text_of
from tests.support.clock import Clock
from tests.support.person import PAY, state_of
from tests.support.polling import wait_until


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger_in(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def pages(now: Clock, desk: Desk) -> Iterator[BrowserPages]:
    made = BrowserPages(now, desk)
    yield made
    made.close()


@pytest.fixture
def page(ledger: Ledger, pages: BrowserPages, desk: Desk, now: Clock) -> Page:
    """The page of a payment of 120.00."""
    return shown(ledger, pages, desk, now)


@pytest.fixture
def recharge(ledger: Ledger, pages: BrowserPages, desk: Desk, now: Clock) -> Page:
    """The page of a change of the auto-recharge."""
    return shown(ledger, pages, desk, now, None)


# --- what it shows


def test_it_shows_the_question_word_for_word(page: Page) -> None:
    answer = page.get()
    assert answer.status_code == 200
    for line in PAYMENT_QUESTION.text.splitlines():
        assert line in visible(answer)
    assert "<b>June" not in answer.text
    assert ">Pay 120.00 USD</button>" in answer.text
    assert ">Decline</button>" in answer.text


def test_it_shows_another_change_with_a_box_to_tick(recharge: Page) -> None:
    answer = recharge.get()
    for line in RECHARGE_QUESTION.text.splitlines():
        assert line in visible(answer)
    assert 'type="checkbox"' in answer.text
    assert 'type="text"' not in answer.text
    assert ">Make this change</button>" in answer.text


@pytest.mark.parametrize(
    ("passed", "left"),
    [(0, "10 minutes"), (61, "8 minutes"), (500, "1 minute"), (545, "less than a minute")],
)
def test_it_says_until_when_it_can_be_answered(page: Page, passed: int, left: str) -> None:
    page.now.passes(seconds=passed)
    until = f"{datetime(2026, 6, 15, 12, 10, tzinfo=UTC).astimezone():%H:%M %Z}"
    assert f"Answer before {until} ({left} left" in visible(page.get())


def test_it_is_html_that_needs_no_scripts_and_loads_nothing(page: Page) -> None:
    text = page.get().text
    assert text.startswith('<!doctype html>\n<html lang="en">')
    for word in ("<script", "src=", "href=", "url(", "@import", "javascript:", " style="):
        assert word not in text
    assert not re.search(r"<[^>]+\son\w+=", text)
    assert 'autocomplete="off"' in text
    assert '<label for="amount">' in text


# --- what it decides


@pytest.mark.parametrize("typed", ["120.00", "120", " $120.00 ", "120.0 usd"])
def test_typing_the_amount_approves(page: Page, typed: str) -> None:
    answer = page.post({"decision": "approve", "amount": typed})
    assert page.state() is State.APPROVED
    assert [each.status_code for each in answer.history] == [303]
    assert str(answer.url) == page.link
    assert "Approved" in visible(answer)
    found = page.ledger.get(page.change.id, page.now())
    assert found
    assert found.channel == "browser"


@pytest.mark.parametrize(
    "form",
    [
        {"decision": "approve", "amount": "12.00"},
        {"decision": "approve", "amount": ""},
        {"decision": "approve", "amount": "NaN"},
        {"decision": "approve", "amount": "%00é"},
        {"decision": "approve"},
        {"decision": "approve", "approve": "yes"},
        {"decision": "Approve", "amount": "120.00"},
        {"amount": "120.00"},
        {},
    ],
)
def test_anything_else_leaves_it_open_and_says_so(page: Page, form: dict[str, str]) -> None:
    answer = page.post(form)
    assert page.state() is State.PROPOSED
    assert "That is not the amount, so nothing was approved" in visible(answer)
    assert page.post(PAYS).status_code == 200
    assert page.state() is State.APPROVED


def test_an_approval_just_after_its_question_became_untrue_is_refused_with_the_reason(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(ledger: Ledger, id: str, *_: object) -> Change | None:
        return ledger.void(id, "The balance moved.", page.now())

    monkeypatch.setattr(Ledger, "approve", moved)
    answer = page.post(PAYS)
    assert page.state() is State.VOID
    assert "No longer valid Nothing was sent. The balance moved." in visible(answer)
    assert "That is not the amount" not in visible(answer)


def test_an_unknown_payment_that_was_left_open_for_long_is_opened_again_to_be_resolved(
    page: Page,
) -> None:
    page.get()
    page.post(PAYS)
    page.ledger.claim(page.change.id, page.now())
    page.ledger.record(page.change.id, State.UNKNOWN, "No answer came.", {}, page.now())
    lost = page.ledger.get(page.change.id, page.now())
    assert lost
    for seconds, opened in ((0, 1), (19, 1), (1, 2), (19, 2)):
        page.now.passes(seconds=seconds)
        assert anyio.run(page.pages.show, lost, page.ledger)
        assert len(page.desk.files) == opened


@pytest.mark.parametrize(("seconds", "is_open"), [(19, True), (20, False)])
def test_a_page_that_no_browser_loads_is_taken_for_not_open_after_a_while(
    page: Page, seconds: int, *, is_open: bool
) -> None:
    page.now.passes(seconds=seconds)
    assert page.show_again() is is_open
    page.get()
    assert page.show_again()
    assert len(page.desk.files) == 1


def test_an_answer_that_comes_twice_is_not_called_mistaken(page: Page) -> None:
    """The second finds it decided, and shows what it came to."""

    def twice(form: dict[str, str], heading: str) -> None:
        for _ in range(2):
            answer = page.post(form)
            assert str(answer.url) == page.link
            assert heading in visible(answer)
            assert "That is not the amount" not in visible(answer)

    twice(PAYS, "Approved")
    page.ledger.claim(page.change.id, page.now())
    page.post({"decision": "withdraw"})
    twice({"decision": "withdraw"}, "Approved, and being sent")
    page.ledger.record(page.change.id, State.UNKNOWN, "No answer came.", {}, page.now())
    twice({"decision": "not_paid", "amount": "120.00"}, "Not done")


def test_a_decline_that_comes_twice_is_not_called_mistaken(page: Page) -> None:
    for _ in range(2):
        answer = page.post(DECLINES)
        assert str(answer.url) == page.link
        assert "Declined" in visible(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"decision=approve&amount=120.00&amount=1",
        b"decision=approve&amount=12&amount=0.00",
        b"decision=approve&amount=120.00&amount=120.00",
        b"decision=approve&amount=&amount=120.00",
        b"decision=app&decision=rove&amount=120.00",
        b"decision=approve&decision=approve&amount=120.00",
    ],
)
def test_a_form_that_says_something_twice_says_nothing(page: Page, body: bytes) -> None:
    fetch("POST", page.link, content=body, headers={"origin": page.origin})
    assert page.state() is State.PROPOSED


def test_ticking_the_box_approves(recharge: Page) -> None:
    recharge.post(TICKS)
    assert recharge.state() is State.APPROVED


def test_another_change_is_not_approved_without_the_tick(recharge: Page) -> None:
    answer = recharge.post({"decision": "approve", "amount": "120.00"})
    assert recharge.state() is State.PROPOSED
    assert "The box was not ticked, so nothing was approved" in visible(answer)


def test_an_unknown_change_of_settings_does_not_claim_to_block_payments(
    page: Page, recharge: Page
) -> None:
    for each in (page, recharge):
        each.post(PAYS | {"approve": "yes"})
        each.ledger.claim(each.change.id, each.now())
        each.ledger.record(each.change.id, State.UNKNOWN, "No answer came.", {}, each.now())
    assert "No other payment is made until you say whether it happened." in visible(page.get())
    assert "payment" not in visible(recharge.get()).partition("This was the question")[0]


def test_the_command_for_an_unknown_payment_of_a_profile_names_the_profile(page: Page) -> None:
    page.ledger.profile = "eu"
    page.post({"decision": "approve", "amount": "120.00"})
    page.ledger.claim(page.change.id, page.now())
    page.ledger.record(page.change.id, State.UNKNOWN, "No answer came.", {}, page.now())
    assert f"telnyx-account-mcp resolve {page.change.id} --profile eu" in visible(page.get())


def test_declining_needs_nothing_typed(page: Page) -> None:
    answer = page.post(DECLINES)
    assert page.state() is State.DECLINED
    assert "Declined Nothing was sent." in visible(answer)


@pytest.mark.parametrize(("first", "second"), [(PAYS, DECLINES), (DECLINES, PAYS), (PAYS, PAYS)])
def test_the_first_decision_counts_and_the_page_shows_it(
    page: Page, first: dict[str, str], second: dict[str, str]
) -> None:
    decided = page.post(first)
    again = page.post(second)
    reloaded = page.get()
    assert decided.text == again.text == reloaded.text
    assert page.state() is (State.APPROVED if first is PAYS else State.DECLINED)
    assert 'value="approve"' not in reloaded.text


def test_of_many_answers_at_once_one_decides(page: Page) -> None:
    decided = []
    for name in ("approve", "decline"):
        method = getattr(page.ledger, name)

        def counting(*arguments: Any, method: Any = method) -> Any:
            done = method(*arguments)
            decided.extend([done.state] if done else [])
            return done

        setattr(page.ledger, name, counting)
    with ThreadPoolExecutor(8) as at_once:
        answers = list(at_once.map(page.post, [PAYS, DECLINES] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert decided == [page.state()]


def test_after_ten_minutes_it_decides_nothing(page: Page) -> None:
    page.now.passes(minutes=10)
    answer = page.post(PAYS)
    assert page.state() is State.EXPIRED
    assert "Expired Nothing was sent. No answer came in time." in visible(answer)
    assert "<form" not in answer.text
    assert "Expired" in visible(page.get())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.SUCCEEDED, "Done Telnyx <said> so."),
        (State.REFUSED, "Not done Telnyx <said> so."),
        (State.NOT_SENT, "Not sent Telnyx <said> so."),
        (State.UNKNOWN, "Outcome unknown Telnyx <said> so."),
    ],
)
def test_it_reports_the_outcome(page: Page, state: State, words: str) -> None:
    page.post(PAYS)
    page.ledger.claim(page.change.id, page.now())
    assert "Approved, and being sent" in visible(page.get())
    page.ledger.record(page.change.id, state, "Telnyx <said> so.", {}, page.now())
    for answer in (page.get(), page.post(DECLINES)):
        assert words in visible(answer)
        assert 'http-equiv="refresh"' not in answer.text
    assert page.state() is state


def test_the_page_of_an_approved_change_looks_for_the_outcome_for_a_minute(
    page: Page,
) -> None:
    assert 'http-equiv="refresh" content="3"' in page.post(PAYS).text
    page.now.passes(seconds=61)
    assert 'http-equiv="refresh"' not in page.get().text
    page.now.passes(minutes=10)
    assert "Expired" in visible(page.get())


# --- whom it refuses


def test_every_answer_forbids_what_the_page_does_not_need(page: Page) -> None:
    answers = [page.get(), page.get(host="evil.example"), fetch("GET", page.origin)]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; form-action 'self'; "
            r"frame-ancestors 'none'; base-uri 'none'",
            policy,
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_is_refused(page: Page, method: str, host: str) -> None:
    port = page.origin.rpartition(":")[2]
    host = host.format(port=port)
    answer = page.get(host=host) if method == "GET" else page.post(PAYS, host=host)
    assert answer.status_code == 421
    assert "120.00" not in answer.text
    assert page.state() is State.PROPOSED


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "https://{authority}"},
        {"origin": "http://localhost:{port}"},
        {"origin": ""},
        {},
        {"origin": "http://{authority}", "sec-fetch-site": "cross-site"},
        {"origin": "http://{authority}", "sec-fetch-site": "same-site"},
    ],
)
def test_an_answer_from_another_page_is_refused(page: Page, headers: dict[str, str]) -> None:
    authority = page.origin.removeprefix("http://")
    port = authority.rpartition(":")[2]
    filled = {name: text.format(authority=authority, port=port) for name, text in headers.items()}
    answer = fetch("POST", page.link, data=PAYS, headers=filled)
    assert answer.status_code == 403
    assert page.state() is State.PROPOSED


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_an_answer_from_the_page_itself_counts(page: Page, site: str) -> None:
    assert page.post(PAYS, **{"sec-fetch-site": site}).status_code == 200
    assert page.state() is State.APPROVED


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(page: Page, method: str) -> None:
    answer = fetch(method, page.link, headers={"origin": page.origin})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert page.state() is State.PROPOSED


def test_head_is_answered_without_a_body(page: Page) -> None:
    answer = fetch("HEAD", page.link)
    assert answer.status_code == 200
    assert answer.content == b""


def test_without_the_secret_the_answer_is_the_same_as_for_no_change_at_all(
    ledger: Ledger, pages: BrowserPages, desk: Desk, now: Clock
) -> None:
    payment = shown(ledger, pages, desk, now)
    other = shown(ledger, pages, desk, now, None)
    secret, others = payment.link.rpartition("/")[2], other.link.rpartition("/")[2]
    base = f"{payment.origin}/change"
    never_shown = propose(ledger, now, "7.00").id
    answers = []
    for target in (
        f"{base}/{payment.change.id}/{others}",
        f"{base}/{payment.change.id}/{secret[:-1]}",
        f"{base}/{payment.change.id}/{secret}x",
        f"{base}/{payment.change.id}/{secret}/",
        f"{base}/{payment.change.id}/",
        f"{base}/{payment.change.id}",
        f"{base}/{'0' * 16}/{secret}",
        f"{base}/{never_shown}/{secret}",
        f"{base}/%00/{secret}",
        f"{base}/../{secret}",
        f"{payment.origin}/",
        f"{payment.origin}/favicon.ico",
    ):
        answers.append(fetch("GET", target))
        answers.append(fetch("POST", target, data=PAYS, headers={"origin": payment.origin}))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted({*answer.headers} - {"date"})) for answer in answers}) == 1
    assert payment.state() is State.PROPOSED


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(page: Page, chunked: bool) -> None:
    body = b"decision=approve&amount=120.00&more=" + b"x" * 5000
    answer = fetch(
        "POST",
        page.link,
        content=iter([body]) if chunked else body,
        headers={"origin": page.origin},
    )
    assert answer.status_code == 413
    assert page.state() is State.PROPOSED


def test_a_ledger_that_fails_is_reported_and_decides_nothing(page: Page) -> None:
    def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    page.ledger.approve = fails  # type: ignore[method-assign, assignment]
    answer = page.post(PAYS)
    assert answer.status_code == 503
    assert "nothing is decided without it" in visible(answer)
    assert page.state() is State.PROPOSED


# --- the file, the secret, the port


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
def test_the_file_is_for_this_user_only_and_forwards_without_scripts(page: Page) -> None:
    assert page.desk.modes == [(0o600, 0o700)]
    text = page.desk.files[0].read_text(encoding="utf-8")
    assert f'<meta http-equiv="refresh" content="0; url={page.link}">' in text
    assert "script" not in text


def test_the_file_is_deleted_when_the_browser_has_the_page(page: Page) -> None:
    fetch("GET", page.link + "x")
    assert page.desk.files[0].exists()
    page.get()
    assert not page.desk.files[0].parent.exists()
    assert page.show_again()
    assert len(page.desk.files) == 1


def test_a_page_that_no_browser_loads_is_not_open(page: Page) -> None:
    page.now.passes(seconds=19)
    assert page.show_again()
    page.now.passes(seconds=2)
    assert not page.show_again()
    page.get()
    assert page.show_again()
    assert len(page.desk.files) == 1


def test_the_file_is_deleted_when_its_time_is_over(ledger: Ledger, desk: Desk, now: Clock) -> None:
    with closing(BrowserPages(now, desk, lifetime=timedelta(seconds=0.05))) as pages:
        page = shown(ledger, pages, desk, now)
        wait_until(lambda: not page.desk.files[0].parent.exists())


def test_closing_deletes_the_file_and_frees_the_port_in_time(page: Page) -> None:
    threads = threading.active_count()
    with httpx.Client(verify=False, trust_env=False) as kept_alive:
        kept_alive.get(page.link)
        started = monotonic()
        page.pages.close()
        assert monotonic() - started < 3
    assert not page.desk.files[0].parent.exists()
    assert threading.active_count() < threads
    with pytest.raises(httpx.ConnectError):
        page.get()
    page.pages.close()


def test_after_closing_a_page_can_be_opened_again(page: Page) -> None:
    page.pages.close()
    assert page.show_again()
    old, page.link = page.link, page.desk.links[-1]
    assert page.link != old
    page.post(PAYS)
    assert page.state() is State.APPROVED


async def test_a_question_is_opened_once(page: Page) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(page.pages.show, page.change, page.ledger)
    assert len(page.desk.files) == 1
    assert page.get().status_code == 200


def test_two_questions_share_a_port_and_not_a_secret(
    page: Page, ledger: Ledger, pages: BrowserPages, desk: Desk, now: Clock
) -> None:
    other = shown(ledger, pages, desk, now, None)
    assert other.origin == page.origin
    assert other.link.rpartition("/")[2] != page.link.rpartition("/")[2]


def test_a_browser_that_does_not_open_leaves_nothing_behind(
    ledger: Ledger, now: Clock, tmp_path: Path
) -> None:
    def broken(file: Path) -> bool:
        desk(file)
        raise OSError("no such browser")

    desk = Desk(opens=False)
    for opener in (desk, broken):
        pages = BrowserPages(now, opener)
        assert not anyio.run(pages.show, propose(ledger, now), ledger)
        assert not any(file.parent.exists() for file in desk.files)
        pages.close()


def test_without_a_screen_nothing_is_opened_or_started(
    ledger: Ledger, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    before = threading.active_count()
    pages = BrowserPages(now)
    assert not anyio.run(pages.show, propose(ledger, now), ledger)
    assert threading.active_count() <= before + 1  # the worker that looked into it
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert users_browser() is open_in_browser


@pytest.mark.skipif(sys.platform == "win32", reason="BROWSER names a script")
@pytest.mark.parametrize(("status", "opened"), [(0, True), (3, False)])
def test_the_browser_gets_the_file_and_nothing_of_stdout(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    status: int,
    opened: bool,
) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$@" ${{TERM-none}} >>{seen}\necho noise\nexit {status}\n', "utf-8"
    )
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm")  # with which a text browser could be taken
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "a page.html"
    assert open_in_browser(file) is opened
    assert seen.read_text("utf-8").split() == [file.as_uri(), "none"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("browser", "own"),
    [
        ("firefox_firefox.desktop", True),
        ("firefox.desktop", False),
        ("chromium_chromium.desktop", False),
        ("firefox", False),  # without an underscore it is not from a snap
        ("", False),
    ],
)
def test_a_browser_from_a_snap_gets_the_file_where_it_may_read(
    ledger: Ledger,
    now: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    browser: str,
    own: bool,
) -> None:
    settings = tmp_path / "xdg-settings"
    settings.write_text(f"#!/bin/sh\necho {browser}\n", "utf-8")
    settings.chmod(0o700)
    common = tmp_path / "snap" / "firefox" / "common"
    common.mkdir(parents=True)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    desk = Desk()
    pages = BrowserPages(now, desk)
    assert anyio.run(pages.show, propose(ledger, now), ledger)
    assert (desk.files[0].parent.parent == common) is own
    pages.close()
    assert list(common.iterdir()) == []


def test_a_page_that_never_loaded_is_not_opened_again_for_an_unknown_outcome(
    ledger: Ledger, now: Clock
) -> None:
    desk = Desk()
    pages = BrowserPages(now, desk)
    unknown = replace(propose(ledger, now), state=State.UNKNOWN)
    assert anyio.run(pages.show, unknown, ledger)
    now.passes(seconds=21)
    assert not anyio.run(pages.show, unknown, ledger)
    assert len(desk.files) == 1
    pages.loaded(unknown.id)
    assert anyio.run(pages.show, unknown, ledger)
    assert len(desk.files) == 2
    pages.close()


async def test_a_page_that_was_forgotten_is_not_checked_and_does_not_come_back(
    ledger: Ledger, now: Clock
) -> None:
    desk = Desk()
    pages = BrowserPages(now, desk)
    change = propose(ledger, now)
    fresh = replace(change, id="fresh")

    async def closes_meanwhile(_id: str) -> Change:
        await anyio.to_thread.run_sync(pages.close)
        return fresh

    assert await pages.show(change, ledger, closes_meanwhile)
    secret = desk.links[0].rpartition("/")[2]
    assert pages.opens(change.id, secret)
    assert await anyio.to_thread.run_sync(pages.check, change.id) is fresh
    assert not pages.opens(fresh.id, secret)
    assert pages.check(change.id) is None


def test_the_secret_is_in_no_log_and_not_in_the_ledger(
    page: Page, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = page.link.rpartition("/")[2]
    assert len(secret) >= 43
    with caplog.at_level(logging.DEBUG):
        page.get()
        page.get(host="evil.example")
        page.post({"decision": "approve", "amount": "1"})
        page.post(PAYS)
    ours = [each for each in caplog.records if not each.name.startswith(("httpx", "httpcore"))]
    assert not any(secret in each.getMessage() for each in ours)
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("state.sqlite3*"))
    assert page.change.id.encode() in stored
    assert secret.encode() not in stored
    assert capfd.readouterr() == ("", "")


# --- the whole call


@pytest.mark.parametrize(
    ("form", "state", "paid"), [(PAYS, "succeeded", 1), (DECLINES, "declined", 0)]
)
async def test_a_call_waits_for_the_page_and_goes_on_from_its_decision(
    settings: Settings,
    sandbox: Sandbox,
    now: Clock,
    mode: Mode,
    form: dict[str, str],
    state: str,
    paid: int,
) -> None:
    wired = wire(settings, now, wait=8)
    messages: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        messages.append(message)

    async with connected(wired.server, mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer_when_shown, wired.desk, form)
            result = await client.call_tool(PAY, {"amount": "120"}, progress_callback=on_progress)
        told = await anyio.to_thread.run_sync(answers, wired.desk.links[-1], PAYS)
    assert state_of(result) == state
    assert [payment["amount_cents"] for payment in sandbox.payments] == [12000] * paid
    assert messages == ["Asking the user on a page in the browser"]
    assert ("Done Telnyx confirmed it." if paid else "Declined") in visible(told)
    secret = wired.desk.links[-1].rpartition("/")[2]
    assert secret not in result.model_dump_json()
    assert "127.0.0.1" not in text_of(result)


async def test_a_call_that_waited_long_enough_is_called_again_after_the_answer(
    settings: Settings, sandbox: Sandbox, now: Clock, mode: Mode
) -> None:
    wired = wire(settings, now, wait=0.05)
    async with connected(wired.server, mode) as client:
        first = await client.call_tool(PAY, {"amount": "120.00"})
        again = await client.call_tool(PAY, {"amount": "120.00"})
        assert state_of(first) == state_of(again) == "proposed"
        assert "a page in the user's browser" in text_of(first)
        assert len(wired.desk.files) == 1
        await anyio.to_thread.run_sync(answers, wired.desk.links[0], PAYS)
        assert sandbox.payments == []
        paid = await client.call_tool(PAY, {"amount": "120.00"})
        told = await client.call_tool(PAY, {"amount": "120.00"})
    assert state_of(paid) == state_of(told) == "succeeded"
    assert len(sandbox.payments) == 1
    assert not wired.desk.files[0].parent.exists()


async def test_a_server_as_built_shows_pages_and_closes_them(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    desk = Desk()
    server = build_server(settings, now=now, pages=BrowserPages(now, desk))
    async with connected(server) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(answer_when_shown, desk, PAYS)
        result = await client.call_tool(PAY, {"amount": "120.00"})
    assert state_of(result) == "succeeded"
    with pytest.raises(httpx.ConnectError):
        fetch("GET", desk.links[0])
