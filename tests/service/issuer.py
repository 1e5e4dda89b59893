"""An issuer of access tokens on loopback, whose faults and keys a test chooses."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey, generate_key
from joserfc.jws import JWSRegistry

Key = RSAKey | ECKey | OKPKey
Fault = Literal["closes", "hangs", "redirects", "garbage", "too large", "500"]

# Made once: an RSA key takes a tenth of a second.
RSA = generate_key("RSA", 2048, {"kid": "rsa"})
OTHER_RSA = generate_key("RSA", 2048, {"kid": "other"})
EC = generate_key("EC", "P-256", {"kid": "ec"})
ED = generate_key("OKP", "Ed25519", {"kid": "ed"})

SUBJECT = "alice"
CLIENT = "assistant"
INTROSPECTION_CLIENT = "service"
INTROSPECTION_SECRET = "a-made-up:secret/with+signs"


class Issuer:
    """What it publishes and how it fails; `url` is known once it listens."""

    def __init__(self) -> None:
        self.url = ""
        self.named: str | None = None
        """The issuer that its metadata names, where that is another than `url`."""
        self.keys: list[Key] = [RSA, EC, ED]
        self.fault: Fault | None = None
        self.metadata_at = "/.well-known/openid-configuration"
        self.extra_metadata: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self.introspected: list[tuple[str, dict[str, str]]] = []
        """The Authorization header and the form of each question about a token."""
        self.opaque: dict[str, Mapping[str, Any]] = {}
        """What it says about tokens that are no JWTs; of others, that they are not active."""
        self.held = asyncio.Event()
        """Set when answers that hang may go on."""

    def claims(self, audience: str, **others: Any) -> dict[str, Any]:
        """The claims of a good token for this audience; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": audience,
            "sub": SUBJECT,
            "client_id": CLIENT,
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid.uuid4()),
            "scope": "telnyx:read",
            "name": "Alice Adams",
            "groups": ["finance"],
            **others,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        audience: str,
        key: Key = RSA,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A signed token. None leaves a claim or a part of the header out."""
        return signed(self.claims(audience, **claims), key, header)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path = line.split(" ")[1]
            self.asked[path] += 1
            if self.fault == "hangs":
                await self.held.wait()
            if self.fault != "closes":
                writer.write(self._answer(path, headers, body.decode()))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, headers: Mapping[str, str], body: str) -> bytes:
        if self.fault == "500":
            return response(500, {})
        if self.fault == "redirects":
            return response(302, {}, f"location: {self.url}/elsewhere{path}\r\n")
        if self.fault == "garbage":
            return response(200, b"<html>")
        if self.fault == "too large":
            return response(200, {"issuer": self.url, "padding": "x" * 2_000_000})
        path = path.removeprefix("/elsewhere")
        if path == self.metadata_at:
            document = {
                "issuer": self.named or self.url,
                "jwks_uri": f"{self.url}/jwks",
                "introspection_endpoint": f"{self.url}/introspect",
                **self.extra_metadata,
            }
            return response(200, document)
        if path == "/jwks":
            return response(200, {"keys": [each.as_dict(private=False) for each in self.keys]})
        if path == "/introspect":
            form = dict(parse_qsl(body))
            self.introspected.append((headers.get("authorization", ""), form))
            return response(200, self.opaque.get(form["token"], {"active": False}))
        return response(404, {})


def response(status: int, content: object, headers: str = "") -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status} Status\r\n{headers}content-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


class _AnyAlgorithm(JWSRegistry):
    """Signs with whatever a test names."""

    def check_header(self, header: dict[str, Any]) -> None:
        pass

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def signed(claims: object, key: Any = RSA, header: Mapping[str, Any] | None = None) -> str:
    """These claims, signed by the algorithm that goes with the key unless the header names another."""
    usual = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA", "oct": "HS256"}
    full = {
        "alg": usual[key.key_type],
        "typ": "at+jwt",
        "kid": key.kid,
        **(header or {}),
    }
    full = {name: value for name, value in full.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(full, payload, key, registry=_AnyAlgorithm())


AnyIssuer = TypeVar("AnyIssuer", bound=Issuer)


@asynccontextmanager
async def serving(issuer: AnyIssuer) -> AsyncIterator[AnyIssuer]:
    """This issuer behind a real port."""
    listening = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        issuer.held.set()
        listening.close()


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """An issuer behind a real port."""
    async with serving(Issuer()) as issuer:
        yield issuer
