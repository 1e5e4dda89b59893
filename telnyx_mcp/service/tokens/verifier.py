"""Judges access tokens of both kinds; the SDK's `TokenVerifier`."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr

from telnyx_mcp.service.tokens.claims import Expected, TokenRefused
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.fetching import IssuerHttp
from telnyx_mcp.service.tokens.introspection import Introspection
from telnyx_mcp.service.tokens.issuer import Issuer
from telnyx_mcp.service.tokens.jwt_tokens import JwtTokens

LONGEST_TOKEN = 16_384
"""In characters. Web servers accept headers of some 64 KB in all."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_DOTS_OF_A_JWT = 2

_logger = logging.getLogger(__name__)


class ServiceTokens:
    """The access tokens of one issuer for one service.

    `resource` is the address of the service, ending in /mcp. `now` gives seconds since 1970, `clock`
    counts seconds for what is cached.
    """

    def __init__(
        self,
        config: IssuerConfig,
        resource: str,
        introspection_secret: SecretStr | None = None,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        http: IssuerHttp | None = None,
    ) -> None:
        expected = Expected(config, resource)
        self.config = config
        self.resource = resource
        self.issuer = Issuer(config, clock, http)
        self._jwt = JwtTokens(self.issuer, expected, now)
        self._opaque = None
        if config.introspection_client_id is not None:
            if introspection_secret is None:
                raise ValueError(
                    "[issuer] names introspection_client_id, so TELNYX_MCP_INTROSPECTION_SECRET must be set"
                )
            self._opaque = Introspection(
                self.issuer,
                expected,
                config.introspection_client_id,
                introspection_secret,
                now,
                clock,
            )

    async def judge(self, token: str) -> AccessToken:
        """The token with what it says. Raises `TokenRefused`, or `IssuerUnavailable` if the issuer is
        down and the token can't be judged without it."""
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused(f"it is longer than {LONGEST_TOKEN} characters")
        if not _TOKEN.fullmatch(token):
            raise TokenRefused("it holds characters that no token has")
        if token.count(".") == _DOTS_OF_A_JWT:
            return await self._jwt.judge(token)
        if self._opaque is None:
            raise TokenRefused("it is not a JWT")
        return await self._opaque.judge(token)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token with what it says, or None if it is refused, which is logged. Raises
        `IssuerUnavailable`."""
        try:
            return await self.judge(token)
        except TokenRefused as refused:
            _logger.info("an access token was refused: %s", refused)
            return None

    async def aclose(self) -> None:
        """Closes the connections to the issuer."""
        await self.issuer.aclose()
