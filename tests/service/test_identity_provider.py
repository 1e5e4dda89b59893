"""The identity provider of these tests does what real ones do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from joserfc import jws

from tests.service.identity_provider import IdentityProvider, provider_missing, running_provider

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    if missing := provider_missing():
        pytest.skip(missing)
    with running_provider() as running:
        yield running


def test_it_publishes_where_its_keys_are(provider: IdentityProvider) -> None:
    found = httpx2.get(f"{provider.url}/.well-known/openid-configuration").json()
    assert found["issuer"] == provider.url
    assert httpx2.get(found["jwks_uri"]).json()["keys"]


def test_a_robot_gets_an_access_token_for_one_resource(provider: IdentityProvider) -> None:
    token = provider.robot_token("telnyx:read", "http://127.0.0.1:1234/mcp")
    assert jws.extract_compact(token.encode()).headers()["typ"] == "at+jwt"


def test_a_person_may_leave_a_group(provider: IdentityProvider) -> None:
    provider.put_in_groups("bob", "readers")
    assert provider.change()["people"]["bob"]["groups"] == ["readers"]
