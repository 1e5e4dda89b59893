"""Access tokens that are JWTs (RFC 9068): the signature, and then what they say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jws import CompactSignature, JWSRegistry
from mcp.server.auth.provider import AccessToken

from telnyx_mcp.service.tokens.claims import Expected, TokenRefused
from telnyx_mcp.service.tokens.issuer import Issuer, Key

# The kind of key, and its curve, for each algorithm that is accepted.
ALGORITHMS = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),  # the same by its newer name (RFC 9864)
}
STANDARD_TYPE = "at+jwt"
_CLIENT_CLAIMS = ("client_id",)
# Where issuers that follow no standard name the client: Keycloak and Auth0, Okta, Entra ID.
_OTHER_CLIENT_CLAIMS = (*_CLIENT_CLAIMS, "azp", "cid", "appid")


class _Registry(JWSRegistry):
    """The algorithms of the table. joserfc warns at each use of the older name of Ed25519."""

    def get_alg(self, name: str) -> JWSAlgModel:
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)


class JwtTokens:
    """Judges JWTs with the keys of the issuer. `now` gives seconds since 1970."""

    def __init__(self, issuer: Issuer, expected: Expected, now: Callable[[], float]) -> None:
        self._issuer = issuer
        self._expected = expected
        self._now = now

    async def judge(self, token: str) -> AccessToken:
        """The token with what it says. Raises `TokenRefused`, or `IssuerUnavailable` without keys."""
        try:
            signed = jws.extract_compact(token.encode(), registry=_REGISTRY)
            header = signed.headers()
        except (JoseError, ValueError, RecursionError):
            raise TokenRefused("it is not a JWT") from None
        kind = self._type(header)
        keys = await self._keys(header)
        if not any(_is_signed(signed, key) for key in keys):
            raise TokenRefused("its signature is wrong")
        client_claims = _CLIENT_CLAIMS if kind == STANDARD_TYPE else _OTHER_CLIENT_CLAIMS
        claims = _claims(signed)
        if claims.get("exp") is None:
            raise TokenRefused("it never expires")
        return self._expected.access(token, claims, client_claims, self._now())

    def _type(self, header: dict[str, Any]) -> str:
        kind = header.get("typ", "")
        if isinstance(kind, str):
            kind = kind.lower().removeprefix("application/")
            if kind in (each.lower() for each in self._expected.config.token_types):
                return kind
        raise TokenRefused("it is not an access token (its typ is another)")

    async def _keys(self, header: dict[str, Any]) -> Sequence[Key]:
        """The keys that may have made the signature: named by `kid`, and of the algorithm's kind."""
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise TokenRefused("its algorithm is not accepted")
        if "crit" in header:
            raise TokenRefused("its header demands an extension (crit)")
        if kid is not None and not isinstance(kid, str):
            raise TokenRefused("its kid is not a text")
        kind, curve = ALGORITHMS[algorithm]
        found = [
            each
            for each in await self._issuer.keys(kid)
            if each.key_type == kind
            and each.get("crv") == curve
            and each.get("alg", algorithm) == algorithm
        ]
        if not found:
            raise TokenRefused("its key is not one of the issuer's")
        if kid is None and len(found) > 1:
            raise TokenRefused("it does not say which key it is signed with")
        return found


def _is_signed(signed: CompactSignature, key: Key) -> bool:
    try:
        return jws.validate_compact(signed, key, registry=_REGISTRY)
    except (JoseError, ValueError):
        return False


def _claims(signed: CompactSignature) -> dict[str, Any]:
    try:
        claims = json.loads(signed.payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefused("its claims are not a JSON object")
    return claims


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
