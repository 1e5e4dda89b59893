"""The pages with programs of other makers: oidc-provider signs people in, axe-core judges how accessible
the pages are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from telnyx_mcp.approval.change import State
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from tests.interop.processes import NODE_MODULES
from tests.service.identity_provider import (
    PAGES,
    IdentityProvider,
    provider_missing,
    running_provider,
)
from tests.service.site import GROUPS, Site, running_site
from tests.support.chromium import NEEDS_CHROMIUM, PHONE, Browser, chromium

pytestmark = pytest.mark.interop
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    if missing := provider_missing():
        pytest.skip(missing)
    with running_provider() as running:
        running.change(people={name: {"groups": groups} for name, groups in GROUPS.items()})
        yield running


@pytest.fixture
async def site(settings: Settings, provider: IdentityProvider) -> AsyncIterator[Site]:
    """The pages, whose people oidc-provider signs in."""
    async with running_site(settings, provider.url, PAGES) as running:
        yield running


@pytest.fixture
async def with_own_issuer(settings: Settings) -> AsyncIterator[Site]:
    async with running_site(settings) as running:
        yield running


async def test_who_signs_in_at_oidc_provider_approves(
    site: Site, provider: IdentityProvider, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    provider.sign_in("bob")
    bob = await site.new_browser()
    page = await bob.get(f"/changes/{change.id}")
    assert str(page.url) == f"{site.origin}/changes/{change.id}"
    assert "Bob Brown" in page.text
    page = await bob.decide(change, "approve", amount="120.00")
    assert "Done" in page.text
    assert len(sandbox.payments) == 1


async def test_the_groups_of_oidc_provider_are_read_at_the_decision(
    site: Site, provider: IdentityProvider, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    provider.sign_in("bob")
    bob = await site.new_browser()
    token = await bob.token(f"/changes/{change.id}")
    provider.put_in_groups("bob", "everybody")
    try:
        form = {"token": token, "decision": "approve", "amount": "120.00"}
        page = await bob.post(f"/changes/{change.id}", form)
    finally:
        provider.put_in_groups("bob", *GROUPS["bob"])
    assert page.status_code == 403
    assert "None of your roles approves changes" in page.text
    assert not sandbox.payments


async def test_who_asked_does_not_approve_by_way_of_oidc_provider(
    site: Site, provider: IdentityProvider
) -> None:
    change = await site.proposed(by="alice")
    provider.sign_in("alice")
    page = await (await site.new_browser()).get(f"/changes/{change.id}")
    assert "You asked for it, so somebody else has to approve it" in page.text
    assert 'value="approve"' not in page.text


@NEEDS_CHROMIUM
async def test_axe_finds_nothing_to_complain_about(
    with_own_issuer: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make interop")
    site = with_own_issuer
    bob = await site.browser("bob")
    done = await site.proposed("20.00", by="dave")
    await bob.decide(done, "approve", amount="20.00")
    waiting, large = await site.proposed(), await site.proposed("450.00", by="carol")
    await bob.decide(large, "approve", amount="450.00")
    assert [await site.state(each) for each in (done, large)] == [State.SUCCEEDED, State.PROPOSED]
    paths = ("", f"/{waiting.id}", f"/{waiting.id}?again=", f"/{large.id}", f"/{done.id}", "/0123")
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        for size in (None, PHONE):
            for scheme in ("light", "dark"):
                for path in paths:
                    found = await asyncio.to_thread(
                        _judged, browser, f"{site.origin}/changes{path}", size, scheme
                    )
                    assert found == [], (path, size, scheme)


def _judged(browser: Browser, url: str, size: tuple[int, int] | None, scheme: str) -> list[Any]:
    """What axe has to say about the page."""
    if size:
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
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
