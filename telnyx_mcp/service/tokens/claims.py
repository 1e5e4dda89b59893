"""What a token or the answer about one must say before anybody is believed to have sent it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.auth.provider import AccessToken

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.untrusted import one_line

LEEWAY_SECONDS = 30
"""How far the clocks of the issuer and of this service may be apart."""
_LATEST = 1 << 40
"""Seconds since 1970 that no sane token names."""


class TokenRefused(Exception):
    """The token is not accepted. The text says why. It may be shown, as it never holds the token."""


class SubjectDenied(TokenRefused):
    """The token is good, but its subject is listed in `deny_subjects`: a new token does not help."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What tokens are held against."""

    config: IssuerConfig
    resource: str
    """The address of the service, ending in /mcp."""

    @property
    def audience(self) -> str:
        return self.config.audience or self.resource

    def access(
        self, token: str, claims: Mapping[str, Any], client_claims: Sequence[str], now: float
    ) -> AccessToken:
        """The token with what it says. Raises `TokenRefused`.

        `client_claims` are the claims that may name the client, `now` is in seconds since 1970.
        """
        if claims.get("iss") != self.config.url:
            raise TokenRefused("it is of another issuer")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("it is for another service")
        expires = _time(claims, "exp")
        if expires is not None and now >= expires + LEEWAY_SECONDS:
            raise TokenRefused("it has expired")
        if any((_time(claims, name) or 0) > now + LEEWAY_SECONDS for name in ("nbf", "iat")):
            raise TokenRefused("it is not valid yet")
        client = _text(claims, client_claims)
        subject = self._subject(claims, client)
        if subject in self.config.deny_subjects:
            raise SubjectDenied("this service was set up to refuse this subject")
        return AccessToken(
            token=token,
            client_id=client,
            scopes=sorted(_scopes(claims)),
            # The SDK compares it with its own clock, without a leeway.
            expires_at=None if expires is None else int(expires) + LEEWAY_SECONDS,
            resource=self.resource,
            subject=subject,
            claims=dict(claims),
        )

    def _subject(self, claims: Mapping[str, Any], client: str) -> str:
        """Who the token stands for: a person by the claim that was set up, a program by its client id."""
        subject = _text(claims, ["sub"])
        name = self.config.subject_claim
        if name not in claims and subject == client:
            return subject
        return _text(claims, [name])


def person_of(token: AccessToken, config: IssuerConfig) -> Person:
    """Who sent the request that carried this token."""
    claims = token.claims or {}
    return Person(
        issuer=config.url,
        subject=token.subject or "",
        name=name_in(claims, config.name_claims),
        groups=groups_in(claims, config.groups_claim),
        client_id=token.client_id,
    )


def name_in(claims: Mapping[str, Any], places: Iterable[str]) -> str:
    """The name of a person: the first of these claims that has one, on one line."""
    names = (one_line(value) for each in places if isinstance(value := claims.get(each), str))
    return next((each for each in names if each), "")


def groups_in(claims: Mapping[str, Any], place: str) -> frozenset[str]:
    """The groups in this claim: a list, or one text."""
    listed = claims.get(place)
    values = listed if isinstance(listed, list) else [listed]
    return frozenset(each for each in values if isinstance(each, str) and each)


def _scopes(claims: Mapping[str, Any]) -> set[str]:
    """The scopes in `scope`, or in `scp`, where Entra ID and Okta write them."""
    found: set[str] = set()
    for value in (claims.get("scope"), claims.get("scp")):
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(each for each in value if isinstance(each, str))
    return found


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """The seconds since 1970 in this claim; None if it is missing."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise TokenRefused(f"its claim {name} is not a time")
    return float(value)


def _text(claims: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these claims that is there."""
    value = next((claims[name] for name in names if name in claims), None)
    if not isinstance(value, str) or not value:
        raise TokenRefused(f"it has no claim {' or '.join(names)}")
    return value
