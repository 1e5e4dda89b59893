"""Sign-in by OpenID Connect (authorization code with PKCE), by Authlib."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from httpx2 import HTTPError, HTTPStatusError
from joserfc.errors import JoseError
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.service.pages.config import SignInConfig
from telnyx_mcp.service.tokens.claims import groups_in, name_in
from telnyx_mcp.telnyx.certificates import certificates

CALLBACK = "/sign-in/callback"
_SECONDS = 10.0
_REFUSED = (400, 401, 403)

_logger = logging.getLogger(__name__)


class SignInFailed(Exception):
    """Nobody was signed in. The text says why, for the person."""


class IssuerSilent(Exception):
    """The issuer can't be asked at present."""


class SignedOut(Exception):
    """The issuer no longer accepts the person's sign-in: they have to sign in again."""


class SignIn:
    """The pages as a client of the issuer."""

    def __init__(
        self, issuer: str, config: SignInConfig, secret: SecretStr | None, public_url: str
    ) -> None:
        self._issuer = issuer
        self._config = config
        self._callback = f"{public_url}{CALLBACK}"
        oauth = OAuth()
        oauth.register(
            "issuer",
            client_id=config.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(config.scopes),
                "code_challenge_method": "S256",
                "timeout": _SECONDS,
                "verify": certificates().context,
                "follow_redirects": False,
            },
        )
        self._client = oauth.create_client("issuer")

    async def begin(self, request: Request) -> Response:
        """The way to the issuer. Raises `IssuerSilent`."""
        await self._metadata()
        try:
            answer: Response = await self._client.authorize_redirect(request, self._callback)
        except (HTTPError, OSError, ValueError) as error:
            raise _silent(error) from None
        return answer

    async def finish(self, request: Request) -> tuple[Person, str]:
        """Who came back from the issuer, and the access token to ask about them later.

        Raises `SignInFailed`, `IssuerSilent`.
        """
        metadata = await self._metadata()
        names_itself = metadata.get("authorization_response_iss_parameter_supported") is True
        named = request.query_params.get("iss", None if names_itself else self._issuer)
        if named != self._issuer:  # RFC 9207
            raise SignInFailed(
                "The answer does not come from this issuer, or it does not say so. Begin again."
            )
        try:
            token = await self._client.authorize_access_token(request)
        except (AuthlibBaseError, JoseError) as error:
            _logger.info("a sign-in failed: %s", type(error).__name__)
            raise SignInFailed("The sign-in was not completed. Begin again.") from None
        except (HTTPError, OSError, ValueError) as error:
            raise _silent(error) from None
        claims = token.get("userinfo") or {}
        if not claims.get("sub") or claims.get("iss") != self._issuer:
            raise SignInFailed("The issuer did not say who you are.")
        access_token = str(token.get("access_token", ""))
        if self._config.groups_from == "userinfo":
            info = await self._userinfo(access_token)
            if info.get("sub") != claims["sub"]:  # OpenID Connect Core, 5.3.2
                raise SignInFailed("The issuer did not say clearly who you are. Begin again.")
            claims = info
        return self._person(claims), access_token

    async def ask(self, subject: str, access_token: str) -> Person:
        """Who the person is now, and in which groups, by the issuer's userinfo.

        Raises `SignedOut` if the issuer no longer accepts the token, `IssuerSilent`.
        """
        try:
            person = self._person(await self._userinfo(access_token))
        except SignInFailed:
            raise SignedOut from None
        if person.subject != subject:
            raise SignedOut
        return person

    async def _userinfo(self, access_token: str) -> Mapping[str, Any]:
        """The claims of userinfo. Raises `SignedOut`, `IssuerSilent`."""
        try:
            await self._metadata()
            token = {"access_token": access_token, "token_type": "Bearer"}
            claims: Mapping[str, Any] = await self._client.userinfo(token=token)
        except HTTPStatusError as error:
            if error.response.status_code in _REFUSED:
                raise SignedOut from None
            raise _silent(error) from None
        except (AuthlibBaseError, HTTPError, OSError, ValueError, KeyError) as error:
            raise _silent(error) from None
        return claims

    async def _metadata(self) -> Mapping[str, Any]:
        """What the issuer says of itself. Raises `IssuerSilent` if that can't be had, or is another's."""
        try:
            metadata: Mapping[str, Any] = await self._client.load_server_metadata()
        except (HTTPError, OSError, ValueError) as error:
            raise _silent(error) from None
        if metadata.get("issuer") != self._issuer:
            raise IssuerSilent("the metadata there names another issuer")
        return metadata

    def _person(self, claims: Mapping[str, Any]) -> Person:
        """Who these claims are of. Raises `SignInFailed`."""
        subject = claims.get(self._config.subject_claim)
        if not isinstance(subject, str) or not subject:
            _logger.error(
                "the claim %s is missing, so nobody can sign in", self._config.subject_claim
            )
            raise SignInFailed("The issuer did not say who you are. Tell the operator.")
        return Person(
            self._issuer,
            subject,
            name_in(claims, self._config.name_claims),
            groups_in(claims, self._config.groups_claim),
        )


def _silent(error: Exception) -> IssuerSilent:
    _logger.warning("the issuer could not be asked: %s", type(error).__name__)
    return IssuerSilent(type(error).__name__)
