"""An issuer that also signs people in: the code flow of OpenID Connect with PKCE, and userinfo."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tests.service.issuer import RSA, Issuer, response, serving, signed

PAGES = "approval-page"
PAGES_SECRET = "a-made-up-secret-of-the-pages"


class SignInIssuer(Issuer):
    """`signs_in` is who is at the browser; `groups` says who is in which groups now."""

    def __init__(self) -> None:
        super().__init__()
        self.signs_in = "alice"
        self.groups: dict[str, list[str]] = {}
        self.named_in_answers: str | None = None
        """The issuer that the redirect names (`iss`), where that is another one; "" for none."""
        self.extra_claims: dict[str, Any] = {}
        self.refuses_tokens = False
        """Whether userinfo no longer accepts access tokens."""
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, str] = {}
        self.extra_metadata = {"authorization_response_iss_parameter_supported": True}

    def _answer(self, path: str, headers: Mapping[str, str], body: str) -> bytes:
        self.extra_metadata |= {
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "code_challenge_methods_supported": ["S256"],
        }
        parts = urlsplit(path)
        if self.fault is None:
            match parts.path:
                case "/authorize":
                    return self._authorize(dict(parse_qsl(parts.query)))
                case "/token":
                    return self._token(headers, dict(parse_qsl(body)))
                case "/userinfo":
                    return self._userinfo(headers)
        return super()._answer(path, headers, body)

    def _authorize(self, asked: dict[str, str]) -> bytes:
        assert asked["client_id"] == PAGES
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self._codes[code] = {**asked, "sub": self.signs_in}
        named = self.url if self.named_in_answers is None else self.named_in_answers
        back = {"code": code, "state": asked["state"], **({"iss": named} if named else {})}
        return response(302, {}, f"location: {asked['redirect_uri']}?{urlencode(back)}\r\n")

    def _token(self, headers: Mapping[str, str], form: dict[str, str]) -> bytes:
        basic = base64.b64encode(f"{PAGES}:{quote(PAGES_SECRET)}".encode()).decode()
        asked = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
        if (
            asked is None
            or headers.get("authorization") != f"Basic {basic}"
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return response(400, {"error": "invalid_grant"})
        access_token = secrets.token_urlsafe(16)
        self._tokens[access_token] = asked["sub"]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": PAGES,
            "iat": now,
            "exp": now + 600,
            "nonce": asked["nonce"],
            **self._claims(asked["sub"]),
        }
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 600,
            "id_token": signed(claims, RSA, {"typ": "JWT"}),
        }
        return response(200, answer)

    def _userinfo(self, headers: Mapping[str, str]) -> bytes:
        subject = self._tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        if subject is None or self.refuses_tokens:
            return response(401, {"error": "invalid_token"})
        return response(200, self._claims(subject))

    def _claims(self, subject: str) -> dict[str, Any]:
        groups = self.groups.get(subject, [])
        return {"sub": subject, "name": subject.title(), "groups": groups, **self.extra_claims}


@asynccontextmanager
async def running_sign_in_issuer() -> AsyncIterator[SignInIssuer]:
    """An issuer that signs people in, behind a real port."""
    async with serving(SignInIssuer()) as issuer:
        yield issuer
