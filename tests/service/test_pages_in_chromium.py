"""The pages of the service in a real browser: people sign in and decide, on a desktop, on a phone, in the
dark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.service.pages.sessions import LIFETIME
from tests.service.site import Site, running_site
from tests.support.chromium import (
    CONTRAST,
    ENTER,
    NEEDS_CHROMIUM,
    TAB,
    Browser,
    chromium,
    fresh,
)

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]
T = TypeVar("T")


@pytest.fixture(scope="module")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    _chromium.devtools("Network.clearBrowserCookies")
    with fresh(_chromium) as ready:
        yield ready


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with running_site(settings) as running:
        yield running


@dataclass
class Desk:
    """A person at the browser. The browser blocks, so it is driven in a thread."""

    site: Site
    browser: Browser

    async def do(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.to_thread(work, *given)

    async def opens(self, change: Change, person: str) -> None:
        """The person opens the page of the change, signing in on the way."""
        self.site.issuer.signs_in = person
        await self.do(self.browser.devtools, "Network.clearBrowserCookies")
        await self.do(self.browser.go, f"{self.site.origin}/changes/{change.id}")

    async def answers(self, amount: str, css: str = "button.go") -> None:
        await self.do(self.browser.type, "#amount", amount)
        await self.do(self.browser.click, css)

    async def shows(self, heading: str) -> None:
        await self.do(self.browser.shows, heading)

    async def text(self, css: str = "main") -> str:
        return await self.do(self.browser.text, css)

    async def complaints(self) -> str:
        """What the console says, which is then no longer unexpected."""
        return " ".join(await self.do(self.browser.complaints))


@pytest.fixture
def desk(site: Site, browser: Browser) -> Desk:
    return Desk(site, browser)


async def test_an_approver_signs_in_and_approves_by_keyboard_alone(
    desk: Desk, sandbox: Sandbox
) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    await desk.shows(change.question.title)
    for _ in range(8):
        await desk.do(desk.browser.press, TAB)
        if await desk.do(desk.browser.focused) == "amount":
            break
    await desk.do(desk.browser.press, *"120.00", ENTER)
    await desk.shows("Done")
    assert len(sandbox.payments) == 1


async def test_an_approver_declines_without_typing(desk: Desk, sandbox: Sandbox) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    await desk.do(desk.browser.click, "button[value=decline]")
    await desk.shows("Declined")
    assert await desk.site.state(change) is State.DECLINED
    assert not sandbox.payments


async def test_a_wrong_amount_is_reported_and_can_be_typed_again(
    desk: Desk, sandbox: Sandbox
) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    await desk.answers("12.00")
    assert "That is not the amount" in await desk.text(".error")
    assert await desk.do(desk.browser.focused) == "amount"
    assert "400" in await desk.complaints()
    await desk.answers("120.00")
    await desk.shows("Done")
    assert len(sandbox.payments) == 1


async def test_a_session_that_ended_while_the_page_was_open_leads_through_a_new_sign_in(
    desk: Desk, sandbox: Sandbox
) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    await desk.do(desk.browser.devtools, "Network.clearBrowserCookies")
    await desk.answers("120.00")
    await desk.shows("Nothing was decided")
    assert "403" in await desk.complaints()
    assert not sandbox.payments
    await desk.do(desk.browser.click, "main a")
    await desk.shows(change.question.title)
    await desk.answers("120.00")
    await desk.shows("Done")
    assert len(sandbox.payments) == 1


async def test_a_session_ends_by_time(desk: Desk) -> None:
    await desk.opens(await desk.site.proposed(), "bob")
    desk.site.now.by = LIFETIME
    desk.site.issuer.signs_in = "dave"
    await desk.do(desk.browser.go, f"{desk.site.origin}/changes")
    assert "Dave" in await desk.text(".who")


async def test_a_forged_token_decides_nothing(desk: Desk, sandbox: Sandbox) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    await desk.do(
        desk.browser.value_of,
        "document.querySelectorAll('[name=token]').forEach((each) => { each.value = '0' })",
    )
    await desk.answers("120.00")
    await desk.shows("Nothing was decided")
    assert "403" in await desk.complaints()
    assert not sandbox.payments


async def test_a_form_sent_twice_decides_once(desk: Desk, sandbox: Sandbox) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    await desk.do(desk.browser.type, "#amount", "120.00")
    await desk.do(desk.browser.double_click, "button.go")
    await desk.shows("Done")
    await desk.do(desk.browser.back)
    await desk.do(desk.browser.reload)
    await desk.shows("Done")
    assert len(sandbox.payments) == 1


async def test_a_person_removed_from_the_group_while_the_page_is_open_is_refused(
    desk: Desk, sandbox: Sandbox
) -> None:
    change = await desk.site.proposed()
    await desk.opens(change, "bob")
    desk.site.issuer.groups["bob"] = ["everybody"]
    await desk.answers("120.00")
    assert "None of your roles approves changes" in await desk.text(".error")
    assert "403" in await desk.complaints()
    assert not sandbox.payments


async def test_two_people_approve_a_large_amount(desk: Desk, sandbox: Sandbox) -> None:
    change = await desk.site.proposed("450.00")
    await desk.opens(change, "bob")
    await desk.answers("450.00")
    await desk.shows("Waiting for an answer")
    assert "You approved it at" in await desk.text()
    assert not sandbox.payments
    await desk.opens(change, "dave")
    assert "Approved by: Bob" in " ".join((await desk.text()).split())
    await desk.answers("450.00")
    await desk.shows("Done")
    assert len(sandbox.payments) == 1


async def test_signing_out_shows_where_to_sign_in_again(desk: Desk) -> None:
    await desk.opens(await desk.site.proposed(), "bob")
    await desk.do(desk.browser.click, ".who button")
    await desk.shows("Signed out")
    desk.site.issuer.signs_in = "carol"
    await desk.do(desk.browser.click, "main a")
    await desk.shows("Changes")
    assert "Carol" in await desk.text(".who")


@pytest.mark.parametrize("width", [320, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_sticks_out_and_every_text_can_be_read(
    desk: Desk, width: int, scheme: str
) -> None:
    waiting, large = await desk.site.proposed(), await desk.site.proposed("450.00", by="carol")
    await desk.do(desk.browser.size, (width, 700))
    await desk.do(desk.browser.scheme, scheme)
    await desk.opens(large, "bob")
    await desk.answers("450.00")
    await desk.shows("Waiting for an answer")
    for path in ("", f"/{waiting.id}", f"/{waiting.id}?again=", f"/{large.id}"):
        await desk.do(desk.browser.go, f"{desk.site.origin}/changes{path}")
        wide = await desk.do(desk.browser.value_of, "document.documentElement.scrollWidth")
        assert wide <= width
        assert await desk.do(desk.browser.value_of, CONTRAST) >= 4.5
