"""People at their browsers, for tests of whole replicas."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from tests.service.signing_in import SignInIssuer


class Browser:
    """A browser that keeps cookies and follows redirects, at one service."""

    def __init__(self, http: httpx2.AsyncClient, origin: str) -> None:
        self.origin = origin
        self._http = http

    async def get(self, url: str) -> httpx2.Response:
        return await self._http.get(url)

    async def post(self, url: str, form: dict[str, str]) -> httpx2.Response:
        return await self._http.post(url, data=form, headers={"origin": self.origin})


@asynccontextmanager
async def signed_in(origin: str, issuer: SignInIssuer, person: str) -> AsyncIterator[Browser]:
    """The browser of this person, signed in."""
    async with httpx2.AsyncClient(verify=False, follow_redirects=True, timeout=60) as http:
        issuer.signs_in = person
        page = await http.get(f"{origin}/changes")
        assert page.status_code == 200, page.text
        yield Browser(http, origin)


async def approved(browser: Browser, change: str, amount: str) -> httpx2.Response:
    """The page of a change after its form was sent with this amount."""
    url = f"{browser.origin}/changes/{change}"
    page = await browser.get(url)
    found = re.search(r'name="token" value="([0-9a-f]+)"', page.text)
    assert found, page.text
    form = {"token": found[1], "decision": "approve", "amount": amount}
    return await browser.post(str(page.url), form)
