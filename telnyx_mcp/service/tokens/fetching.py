"""JSON from the issuer, bounded in time and size. Redirects are not followed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import anyio
import httpx2

from telnyx_mcp.service.tokens.config import https_only
from telnyx_mcp.telnyx.certificates import certificates

SECONDS = 5.0
"""How long one answer may take, from the first byte sent to the last one received."""
MOST_BYTES = 1_000_000


class FetchFailed(Exception):
    """The issuer did not give a usable answer. The text says why; it holds nothing that was sent."""


class Unreachable(FetchFailed):
    """Nothing answered, so that asking for another address of the same issuer is of no use."""


class IssuerHttp:
    """Requests to the issuer. Connections are made when they are first needed."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._client: httpx2.AsyncClient | None = None

    async def get(self, url: str) -> dict[str, Any]:
        """The JSON object at this address. Raises `FetchFailed`."""
        return await self._send("GET", url)

    async def post(
        self, url: str, form: Mapping[str, str], client_id: str, secret: str
    ) -> dict[str, Any]:
        """The JSON object that answers this form, sent as this client. Raises `FetchFailed`."""
        # RFC 6749 (2.3.1) wants both encoded as in a form.
        auth = httpx2.BasicAuth(quote_plus(client_id), quote_plus(secret))
        return await self._send("POST", url, data=dict(form), auth=auth)

    async def aclose(self) -> None:
        if self._client:
            await self._client.aclose()

    async def _send(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        where = url.partition("?")[0][:_SHOWN]
        try:
            https_only(url)
            with anyio.fail_after(self._seconds):
                body = await self._body(method, url, where, more)
            found = json.loads(body)
        except TimeoutError:
            raise Unreachable(f"{where} did not answer within {self._seconds:g} s") from None
        except httpx2.HTTPError as error:
            raise Unreachable(f"{where} can't be reached ({type(error).__name__})") from None
        except (httpx2.InvalidURL, ValueError, RecursionError) as error:  # not https, or not JSON
            raise FetchFailed(f"{where} is not usable ({type(error).__name__})") from None
        if not isinstance(found, dict):
            raise FetchFailed(f"{where} did not answer with a JSON object")
        return found

    async def _body(self, method: str, url: str, where: str, more: Mapping[str, Any]) -> bytes:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                verify=certificates().context, timeout=self._seconds, follow_redirects=False
            )
        body = b""
        async with self._client.stream(method, url, headers=_HEADERS, **more) as response:
            if response.status_code != httpx2.codes.OK:
                raise FetchFailed(f"{where} answered {response.status_code}")
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MOST_BYTES:
                    raise FetchFailed(f"{where} sent more than {MOST_BYTES} bytes")
        return body


# Uncompressed: a small answer could unpack to a large one.
_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}
_SHOWN = 200
