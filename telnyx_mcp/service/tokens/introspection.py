"""Access tokens that only the issuer can read: it is asked about each (RFC 7662)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

import anyio
from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr

from telnyx_mcp.service.tokens.claims import Expected, TokenRefused
from telnyx_mcp.service.tokens.fetching import FetchFailed
from telnyx_mcp.service.tokens.issuer import RETRY_SECONDS, Issuer, IssuerUnavailable

KEPT_SECONDS = 30.0
"""How long an answer is used: a token that was revoked is refused after this time at the latest."""
MOST_KEPT = 1000
AT_ONCE = 8
"""How many questions may be open. Others wait, so that a flood of tokens does not pass on to the issuer."""
_CLIENT_CLAIMS = ("client_id",)

_logger = logging.getLogger(__name__)

Answer = AccessToken | TokenRefused


class Introspection:
    """Asks the issuer about tokens. `now` gives seconds since 1970, `clock` counts seconds."""

    def __init__(
        self,
        issuer: Issuer,
        expected: Expected,
        client_id: str,
        secret: SecretStr,
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._expected = expected
        self._client_id = client_id
        self._secret = secret
        self._now = now
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, Answer]] = OrderedDict()
        self._asking = anyio.Semaphore(AT_ONCE)
        self._failed_at = float("-inf")

    async def judge(self, token: str) -> AccessToken:
        """The token with what the issuer says of it. Raises `TokenRefused` or `IssuerUnavailable`."""
        key = sha256(token.encode()).digest()
        answer = self._remembered(key)
        if answer is None:
            async with self._asking:
                answer = self._remembered(key) or await self._ask(key, token)
        if isinstance(answer, TokenRefused):
            raise answer
        if answer.expires_at is not None and self._now() >= answer.expires_at:
            raise TokenRefused("it has expired")
        return answer

    def _remembered(self, key: bytes) -> Answer | None:
        until, answer = self._kept.get(key, (float("-inf"), None))
        return answer if self._clock() < until else None

    async def _ask(self, key: bytes, token: str) -> Answer:
        wait = self._failed_at + RETRY_SECONDS - self._clock()
        if wait > 0:
            raise IssuerUnavailable(wait)
        url = await self._issuer.introspection_url()
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            claims = await self._issuer.http.post(
                url, form, self._client_id, self._secret.get_secret_value()
            )
        except FetchFailed as error:
            self._failed_at = self._clock()
            _logger.warning("the issuer can't be asked about a token: %s", error)
            raise IssuerUnavailable(RETRY_SECONDS) from None
        answer: Answer
        try:
            if claims.get("active") is not True:
                raise TokenRefused("it is not active")
            # The issuer itself answers, and may leave its name out.
            claims.setdefault("iss", self._expected.config.url)
            answer = self._expected.access(token, claims, _CLIENT_CLAIMS, self._now())
        except TokenRefused as refused:
            answer = refused
        self._kept[key] = (self._clock() + KEPT_SECONDS, answer)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return answer
