"""Who a token stands for, in the tokens of several makers of identity providers."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.server.auth.provider import AccessToken

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.service.tokens.claims import person_of
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.verifier import ServiceTokens
from tests.service.conftest import running_service
from tests.service.issuer import Issuer, signed

URL = "https://idp.example"


def person(config: IssuerConfig | None = None, **claims: Any) -> Person:
    token = AccessToken(
        token="t", client_id="assistant", scopes=[], subject="alice", claims={"iss": URL, **claims}
    )
    return person_of(token, config or IssuerConfig(url=URL))


def test_a_person_is_the_issuer_and_the_subject_with_name_groups_and_client() -> None:
    assert person(name="Alice Adams", groups=["finance", "approvers"]) == Person(
        URL, "alice", "Alice Adams", frozenset({"finance", "approvers"}), "assistant"
    )


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({}, ""),
        ({"email": "a@example.com", "preferred_username": "alice"}, "a@example.com"),
        ({"name": "", "email": "a@example.com"}, "a@example.com"),
        ({"name": " \n ", "preferred_username": "alice"}, "alice"),
        ({"name": 7}, ""),
        ({"name": "Alice\n\x1b[31m\u202eAdams"}, "Alice Adams"),
        ({"name": "a" * 1000}, "a" * 79 + "…"),
    ],
)
def test_the_name_is_the_first_claim_that_has_one_on_one_line(
    claims: dict[str, Any], name: str
) -> None:
    assert person(**claims).name == name


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        (None, set()),
        ([], set()),
        ("finance", {"finance"}),
        (["finance", "", 7, None, ["approvers"]], {"finance"}),
        ({"approvers": True}, set()),
        (True, set()),
    ],
)
def test_groups_are_texts_in_a_list_or_one_text(groups: object, found: set[str]) -> None:
    assert person(groups=groups).groups == found


def test_groups_and_names_may_be_in_other_claims() -> None:
    config = IssuerConfig(url=URL, groups_claim="https://example.com/groups", name_claims=("upn",))
    claims = {"https://example.com/groups": ["finance"], "upn": "alice@example.com"}
    assert person(config, **claims, name="no", groups=["no"]).groups == {"finance"}
    assert person(config, **claims, name="no").name == "alice@example.com"


def test_a_program_that_signed_in_by_itself_is_known_by_the_id_of_its_client() -> None:
    token = AccessToken(token="t", client_id="robot", scopes=[], subject="robot", claims={})
    program = person_of(token, IssuerConfig(url=URL))
    assert (program.subject, program.client_id) == ("robot", "robot")


# What differs from a token of RFC 9068: the header, and the claims; None leaves one out.
MAKERS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Keycloak": (
        {"token_types": ["JWT"]},
        {"typ": "JWT"},
        {"client_id": None, "azp": "assistant", "typ": "Bearer", "aud": ["account", "api"]},
    ),
    "Auth0": (
        {"token_types": ["JWT", "at+jwt"]},
        {"typ": "JWT"},
        {"client_id": None, "azp": "assistant", "aud": ["api", "https://x.auth0.com/userinfo"]},
    ),
    "Okta": (
        {"token_types": [""], "subject_claim": "uid"},
        {"typ": None},
        {
            "sub": "alice@example.com",
            "uid": "alice",
            "client_id": None,
            "cid": "assistant",
            "scope": None,
            "scp": ["telnyx:read"],
        },
    ),
    "Entra ID v2": (
        {"token_types": ["JWT"], "scope_prefix": "api://id/", "subject_claim": "oid"},
        {"typ": "JWT", "x5t": "abc"},
        {
            "sub": "another for each client",
            "oid": "alice",
            "client_id": None,
            "azp": "assistant",
            "scope": None,
            "scp": "telnyx:read other",
        },
    ),
    "Entra ID v1": (
        {"token_types": ["JWT"]},
        {"typ": "JWT"},
        {"client_id": None, "appid": "assistant", "scope": None, "scp": "telnyx:read"},
    ),
}


@pytest.mark.parametrize("maker", MAKERS)
async def test_tokens_of_several_makers_are_accepted_where_they_are_set_up(
    server: AccountServer, issuer: Issuer, maker: str
) -> None:
    config, header, changed = MAKERS[maker]
    async with running_service(server, issuer.url, audience="api", **config) as service:
        claims = {**issuer.claims("api"), **changed}
        kept = {name: value for name, value in claims.items() if value is not None}
        token = signed(kept, header=header)
        assert (await service.list_tools(token)).status_code == 200
        access = await service.tokens.verify_token(token)
        assert access is not None
        assert (access.subject, access.client_id) == ("alice", "assistant")
    async with running_service(server, issuer.url, audience="api") as strict:
        assert (await strict.list_tools(token)).status_code == 401


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"uid": "00u1"}, "00u1"),
        ({}, None),
        ({"uid": ""}, None),
        ({"uid": None}, None),
        ({"sub": "assistant"}, "assistant"),
        ({"sub": "assistant", "uid": "00u1"}, "00u1"),
    ],
    ids=["a person", "without it", "empty", "null", "a program", "a person named as a program"],
)
async def test_who_a_person_is_may_be_in_another_claim_than_sub(
    issuer: Issuer, changed: dict[str, Any], subject: str | None
) -> None:
    tokens = ServiceTokens(
        IssuerConfig(url=issuer.url, subject_claim="uid"), "https://a.example/mcp"
    )
    access = await tokens.verify_token(
        signed({**issuer.claims("https://a.example/mcp"), **changed})
    )
    assert (access and access.subject) == subject
    await tokens.aclose()


async def test_a_denied_subject_is_the_one_of_that_claim(issuer: Issuer) -> None:
    config = IssuerConfig(url=issuer.url, subject_claim="uid", deny_subjects=("00u1",))
    tokens = ServiceTokens(config, "https://a.example/mcp")
    assert await tokens.verify_token(issuer.token("https://a.example/mcp", uid="00u1")) is None
    await tokens.aclose()


@pytest.mark.parametrize(("claim", "warned"), [("sub", True), ("oid", False)])
async def test_it_is_logged_if_the_same_person_has_another_sub_on_the_page(
    issuer: Issuer, caplog: pytest.LogCaptureFixture, claim: str, warned: bool
) -> None:
    issuer.extra_metadata = {"subject_types_supported": ["pairwise"]}
    tokens = ServiceTokens(IssuerConfig(url=issuer.url, subject_claim=claim), "https://a.example")
    assert await tokens.issuer.is_ready()
    assert ("subject_claim" in caplog.text) is warned
    await tokens.aclose()
