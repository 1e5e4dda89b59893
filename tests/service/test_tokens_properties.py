"""No token that differs from a good one in anything that counts is accepted."""

from __future__ import annotations

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.service.tokens.claims import TokenRefused
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.fetching import IssuerHttp
from telnyx_mcp.service.tokens.issuer import usable_keys
from telnyx_mcp.service.tokens.verifier import ServiceTokens
from tests.service.issuer import EC, ED, OTHER_RSA, RSA, Issuer, Key, signed

RESOURCE = "https://service.example/mcp"
ISSUER = "https://idp.example"
ALPHABET = string.ascii_letters + string.digits + "-_"
KEYS: list[Key] = [RSA, EC, ED]


class Published(IssuerHttp):
    """What an issuer publishes, without asking it: these tests are about tokens."""

    async def get(self, url: str) -> dict[str, Any]:
        if url.endswith("/jwks"):
            return {"keys": [each.as_dict(private=False) for each in KEYS]}
        return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}


def issuer() -> Issuer:
    made = Issuer()
    made.url = ISSUER
    return made


TOKENS = ServiceTokens(IssuerConfig(url=ISSUER), RESOURCE, http=Published())
GOOD = [issuer().token(RESOURCE, key) for key in KEYS]


def unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


async def accepts(token: str) -> bool:
    return await TOKENS.verify_token(token) is not None


@pytest.mark.parametrize("token", GOOD, ids=[str(each.kid) for each in KEYS])
async def test_the_tokens_that_are_changed_below_are_good(token: str) -> None:
    assert await accepts(token)


@given(st.data())
async def test_a_token_with_another_letter_is_refused(data: st.DataObject) -> None:
    token = data.draw(st.sampled_from(GOOD))
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from(ALPHABET + ".=~"))
    changed = token[:place] + letter + token[place + 1 :]
    # The last letter of a part may hold bits that stand for nothing.
    if decoded(changed) != decoded(token):
        assert not await accepts(changed)


@given(st.data())
async def test_a_token_that_lacks_or_repeats_a_piece_is_refused(data: st.DataObject) -> None:
    token = data.draw(st.sampled_from(GOOD))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(token))] * 2)))
    for changed in (token[:first] + token[last:], token[:last] + token[first:]):
        if decoded(changed) != decoded(token):
            assert not await accepts(changed)


@given(st.permutations(range(3)), st.lists(st.sampled_from(GOOD), min_size=3, max_size=3))
async def test_parts_of_different_tokens_do_not_fit_together(
    order: list[int], tokens: list[str]
) -> None:
    parts = [token.split(".")[place] for place, token in zip(order, tokens, strict=True)]
    mixed = ".".join(parts)
    assert mixed in GOOD or not await accepts(mixed)


@given(
    st.sampled_from(["iss", "aud", "sub", "client_id", "exp"]),
    st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.integers(max_value=1_000_000_000)
    | st.dictionaries(st.text(max_size=3), st.none(), max_size=1),
)
async def test_a_signed_token_whose_claim_has_any_other_value_is_refused(
    claim: str, value: object
) -> None:
    claims = {**issuer().claims(RESOURCE), claim: value}
    if not (claim in ("sub", "client_id") and isinstance(value, str) and value):
        assert not await accepts(signed(claims))


@pytest.mark.attack(
    "A header that brings its own key or algorithm",
    "The signature is checked with the issuer's key only",
)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "jwk", "jku", "x5c", "crit", "b64", "zip", "cty"]),
        st.none()
        | st.booleans()
        | st.sampled_from(["none", "HS256", "RS256", "rsa", "JWT", "at+jwt"]),
        min_size=1,
    )
)
async def test_no_header_makes_a_foreign_signature_good(header: dict[str, Any]) -> None:
    full = {"alg": "RS256", "typ": "at+jwt", "kid": "rsa", **header}
    claims = issuer().claims(RESOURCE)
    _, payload, signature = signed(claims, OTHER_RSA).split(".")
    assert not await accepts(f"{unpadded(json.dumps(full).encode())}.{payload}.{signature}")


FIELDS = ["kty", "use", "kid", "alg", "crv", "n", "e", "x", "y", "d", "key_ops", "x5c", "k"]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.sampled_from(
        ["RSA", "EC", "OKP", "oct", "sig", "P-256", "Ed25519", "X25519", "AQAB", "verify"]
    )
)


@given(
    st.none()
    | st.text(max_size=3)
    | st.lists(
        st.none()
        | st.dictionaries(st.sampled_from(FIELDS), VALUES)
        | st.builds(
            lambda key, more: {**key.as_dict(private=False), **more},
            st.sampled_from(KEYS),
            st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2),
        ),
        max_size=3,
    )
)
def test_keys_in_any_shape_are_used_or_left_out_without_an_error(published: object) -> None:
    for each in usable_keys({"keys": published}):
        assert each.key_type in ("RSA", "EC", "OKP")


@given(st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
async def test_any_text_is_refused_without_another_error(text: str) -> None:
    with pytest.raises(TokenRefused):
        await TOKENS.judge(text)


def decoded(token: str) -> list[bytes] | None:
    try:
        return [
            base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
            for part in token.split(".")
        ]
    except ValueError:
        return None
