"""Good and bad access tokens, each sent to the real server."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc.jwk import generate_key

from telnyx_mcp.service.tokens.claims import LEEWAY_SECONDS
from telnyx_mcp.service.tokens.verifier import LONGEST_TOKEN
from tests.service.conftest import Service
from tests.service.issuer import EC, ED, OTHER_RSA, RSA, Issuer, signed

Make = Callable[[Issuer, str], str]


@dataclass(frozen=True)
class Case:
    """A token, made for an issuer and the address of the service, and why it is refused, if it is."""

    make: Make
    refused: str | None = None


def claims(header: dict[str, Any] | None = None, key: Any = RSA, **changed: Any) -> Make:
    """A token that is good but for these claims, this header and this key."""
    return lambda issuer, url: issuer.token(url, key, header, **changed)


def at(name: str, seconds: float) -> Make:
    """A token with a claim of a time from now on."""
    return lambda issuer, url: signed({**issuer.claims(url), name: int(time.time() + seconds)})


def part(content: object) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(algorithm: str) -> Make:
    def make(issuer: Issuer, url: str) -> str:
        header = {"alg": algorithm, "typ": "at+jwt", "kid": "rsa"}
        return f"{part(header)}.{part(issuer.claims(url))}."

    return make


def signed_with_the_public_key(issuer: Issuer, url: str) -> str:
    """The classic: what everybody knows, taken as a shared secret."""
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "rsa"}
    content = f"{part(header)}.{part(issuer.claims(url))}"
    signature = hmac.digest(RSA.as_pem(private=False), content.encode(), "sha256")
    return f"{content}.{part(signature)}"


def with_other_claims(issuer: Issuer, url: str) -> str:
    head, _, signature = issuer.token(url).split(".")
    return f"{head}.{part(issuer.claims(url, scope='telnyx:read telnyx:propose'))}.{signature}"


def raw(payload: bytes) -> Make:
    return lambda issuer, url: signed(payload)


def twice(issuer: Issuer, url: str) -> str:
    """The audience named twice: the last one counts, as for any reader of JSON here."""
    good = json.dumps(issuer.claims(url))
    return signed(f'{good[:-1]}, "aud": "https://other.example/mcp"}}'.encode())


SMALL = generate_key("EC", "P-384", {"kid": "ec"})
NOT_JWT = "it is not a JWT"
NO_KEY = "its key is not one of the issuer's"
BAD_SIGNATURE = "its signature is wrong"
NO_ALGORITHM = "its algorithm is not accepted"
OTHER_TYPE = "it is not an access token"
OTHER_SERVICE = "it is for another service"
OTHER_ISSUER = "it is of another issuer"
NO_TIME = "is not a time"
AGAINST = {"jwk": OTHER_RSA.as_dict(private=False)}

CASES: dict[str, Case] = {
    # accepted
    "good": Case(claims()),
    "PS256": Case(claims({"alg": "PS256"})),
    "ES256": Case(claims(key=EC)),
    "EdDSA": Case(claims(key=ED)),
    "Ed25519, its newer name": Case(claims({"alg": "Ed25519"}, ED)),
    "the long typ": Case(claims({"typ": "application/at+jwt"})),
    "typ in capitals": Case(claims({"typ": "AT+JWT"})),
    "one audience of several": Case(
        lambda issuer, url: issuer.token(url, aud=["https://other.example/mcp", url])
    ),
    "expired within the leeway": Case(at("exp", -LEEWAY_SECONDS / 2)),
    "issued a little in the future": Case(at("iat", LEEWAY_SECONDS / 2)),
    "a header of the issuer's own": Case(claims({"x5t": "abc", "own": 1})),
    "jku beside the right key": Case(claims({"jku": "https://evil.example/keys"})),
    "scopes as a list in scp": Case(claims(scope=None, scp=["telnyx:read"])),
    "no kid, where one key fits": Case(claims({"kid": None}, EC)),
    # the audience and the issuer
    "for another service": Case(claims(aud="https://other.example/mcp"), OTHER_SERVICE),
    "for a longer address": Case(lambda issuer, url: issuer.token(f"{url}/"), OTHER_SERVICE),
    "for the host alone": Case(
        lambda issuer, url: issuer.token(url.removesuffix("/mcp")), OTHER_SERVICE
    ),
    "without an audience": Case(claims(aud=None), OTHER_SERVICE),
    "with an empty list of audiences": Case(claims(aud=[]), OTHER_SERVICE),
    "with an audience in an object": Case(
        lambda issuer, url: issuer.token(url, aud={url: url}), OTHER_SERVICE
    ),
    "with its audience twice": Case(twice, OTHER_SERVICE),
    "of another issuer": Case(claims(iss="https://evil.example"), OTHER_ISSUER),
    "of the issuer with a slash": Case(
        lambda issuer, url: issuer.token(url, iss=f"{issuer.url}/"), OTHER_ISSUER
    ),
    "without an issuer": Case(claims(iss=None), OTHER_ISSUER),
    # time
    "expired": Case(at("exp", -LEEWAY_SECONDS - 5), "it has expired"),
    "expired in 1970": Case(claims(exp=1), "it has expired"),
    "without an end": Case(claims(exp=None), "it never expires"),
    "with null for an end": Case(
        lambda issuer, url: signed({**issuer.claims(url), "exp": None}), "it never expires"
    ),
    "with true for an end": Case(claims(exp=True), NO_TIME),
    "with a text for an end": Case(claims(exp="9999999999"), NO_TIME),
    "with an endless end": Case(claims(exp=1 << 60), NO_TIME),
    "not valid yet": Case(at("nbf", LEEWAY_SECONDS + 60), "it is not valid yet"),
    "issued in the future": Case(at("iat", LEEWAY_SECONDS + 60), "it is not valid yet"),
    "with infinity for an end": Case(
        lambda issuer, url: signed(json.dumps(issuer.claims(url, exp=float("inf"))).encode()),
        "not a JSON object",
    ),
    # who it is
    "without a subject": Case(claims(sub=None), "no claim sub"),
    "with an empty subject": Case(claims(sub=""), "no claim sub"),
    "with a number for a subject": Case(claims(sub=7), "no claim sub"),
    "without a client": Case(claims(client_id=None), "no claim client_id"),
    "with azp for a client, in a standard token": Case(
        claims(client_id=None, azp="assistant"), "no claim client_id"
    ),
    # the kind of token
    "an ID token": Case(claims({"typ": "JWT"}), OTHER_TYPE),
    "without a typ": Case(claims({"typ": None}), OTHER_TYPE),
    "with a number for a typ": Case(claims({"typ": 1}), OTHER_TYPE),
    # the signature
    "unsigned": Case(unsigned("none"), NO_ALGORITHM),
    "unsigned in capitals": Case(unsigned("NONE"), NO_ALGORITHM),
    "RS256 without a signature": Case(unsigned("RS256"), BAD_SIGNATURE),
    "HS256 with the public key": Case(signed_with_the_public_key, NO_ALGORITHM),
    "RS512": Case(claims({"alg": "RS512"}), NO_ALGORITHM),
    "ES384": Case(claims({"alg": "ES384"}, SMALL), NO_ALGORITHM),
    "signed by somebody else": Case(claims({"kid": "rsa"}, OTHER_RSA), BAD_SIGNATURE),
    "with other claims than were signed": Case(with_other_claims, BAD_SIGNATURE),
    "without its signature": Case(
        lambda issuer, url: issuer.token(url).rpartition(".")[0], NOT_JWT
    ),
    # the key
    "an unknown kid": Case(claims(key=OTHER_RSA), NO_KEY),
    "the kid of another kind of key": Case(claims({"kid": "ec"}), NO_KEY),
    "a number for a kid": Case(claims({"kid": 1}), "its kid is not a text"),
    "a path for a kid": Case(claims({"kid": "../../dev/null"}, OTHER_RSA), NO_KEY),
    "its own key in jwk": Case(claims({**AGAINST, "kid": "rsa"}, OTHER_RSA), NOT_JWT),
    "its own key in a short jwk": Case(
        claims({"jwk": ED.as_dict(private=False), "kid": "rsa"}, OTHER_RSA), BAD_SIGNATURE
    ),
    "its own key by jku": Case(claims({"jku": "https://evil.example/keys"}, OTHER_RSA), NO_KEY),
    "its own key by x5u": Case(
        claims({"x5u": "https://evil.example/cert", "kid": "rsa"}, OTHER_RSA), BAD_SIGNATURE
    ),
    "a critical extension": Case(claims({"crit": ["exp"], "exp": 1}), "crit"),
    "an unencoded payload": Case(claims({"crit": ["b64"], "b64": True}), "crit"),
    # no token at all
    "claims that are a list": Case(raw(b"[]"), "not a JSON object"),
    "claims that are not JSON": Case(raw(b"{"), "not a JSON object"),
    "claims nested without end": Case(raw(b"[" * 9000), "not a JSON object"),
    "encrypted": Case(lambda _issuer, _url: "e30.e30.e30.e30.e30", NOT_JWT),
    "an opaque token": Case(lambda _issuer, _url: "0123456789abcdef", NOT_JWT),
    "garbage": Case(lambda _issuer, _url: "a.b.c", NOT_JWT),
    "dots": Case(lambda _issuer, _url: "..", NOT_JWT),
    "a quotation mark": Case(lambda _issuer, _url: 'a"b', "characters"),
    "two words": Case(lambda issuer, url: f"{issuer.token(url)} more", "characters"),
    "too long": Case(
        lambda issuer, url: issuer.token(url, padding="x" * LONGEST_TOKEN), "longer than"
    ),
}


@pytest.mark.attack(
    "Access tokens that are forged, altered, expired, unsigned, for another service or of another issuer",
    "401 with the reason; nothing is done",
)
@pytest.mark.parametrize("name", CASES)
async def test_a_token_is_accepted_if_it_is_good_and_refused_with_the_reason_if_not(
    service: Service, issuer: Issuer, name: str
) -> None:
    case = CASES[name]
    issuer.keys = [RSA, EC, ED]
    token = case.make(issuer, service.url)
    answer = await service.list_tools(token)
    if case.refused is None:
        assert answer.status_code == 200, answer.text
        return
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"
    assert case.refused in answer.json()["error_description"]
    assert token[:20] not in answer.text or len(token) < 20
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert 'scope="telnyx:read"' in challenge


async def test_a_token_without_kid_is_refused_where_several_keys_fit(
    service: Service, issuer: Issuer
) -> None:
    issuer.keys = [RSA, OTHER_RSA]
    answer = await service.list_tools(issuer.token(service.url, header={"kid": None}))
    assert "does not say which key" in answer.json()["error_description"]


async def test_why_a_token_was_refused_is_logged_without_the_token(
    service: Service, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "telnyx_mcp")
    token = issuer.token(service.url, exp=1)
    await service.list_tools(token)
    assert "an access token was refused: it has expired" in caplog.text
    assert not any(each in caplog.text for each in token.split("."))


async def test_the_scheme_may_be_written_in_small_letters(service: Service, issuer: Issuer) -> None:
    token = issuer.token(service.url)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert (await service.post(message, authorization=f"bearer {token}")).status_code == 200


@pytest.mark.attack(
    "Two Authorization headers, of which a proxy reads the other one",
    "400",
)
@pytest.mark.parametrize(
    "header", ["Basic YTpi", "Bearer", "bearer: x", "Token {}", "{}", "DPoP {}", "Bearer  {}"]
)
async def test_another_scheme_or_another_form_is_no_token(
    service: Service, issuer: Issuer, header: str
) -> None:
    token = issuer.token(service.url)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = await service.post(message, authorization=header.format(token))
    assert answer.status_code == 401
    is_bearer = header in ("Bearer", "Bearer  {}")
    assert ("error=" in answer.headers["www-authenticate"]) is is_bearer


async def test_two_authorization_headers_are_refused_though_both_are_good(
    service: Service, issuer: Issuer
) -> None:
    token = issuer.token(service.url)
    headers = [("authorization", f"Bearer {token}")] * 2
    answer = await service.http.post(service.url, headers=headers, json={})
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


async def test_a_token_in_the_address_is_no_token(service: Service, issuer: Issuer) -> None:
    address = f"{service.url}?access_token={issuer.token(service.url)}"
    assert (await service.http.post(address, json={})).status_code == 401
