"""Tokens that are no JWTs: the issuer is asked, seldom."""

from __future__ import annotations

import base64
import time
from typing import Any

import anyio
import pytest

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.service.tokens.introspection import KEPT_SECONDS
from telnyx_mcp.service.tokens.issuer import RETRY_SECONDS
from tests.service.conftest import Service, running_service
from tests.service.issuer import INTROSPECTION_SECRET, Issuer

TOKEN = "opaque-0123456789"


def says(issuer: Issuer, service: Service, **changed: Any) -> None:
    """What the issuer says about the token from now on."""
    issuer.opaque[TOKEN] = {"active": True, **issuer.claims(service.url, **changed)}


async def status(service: Service) -> int:
    return (await service.list_tools(TOKEN)).status_code


async def test_an_active_token_is_accepted(introspecting: Service, issuer: Issuer) -> None:
    says(issuer, introspecting)
    assert await status(introspecting) == 200
    [(authorization, form)] = issuer.introspected
    assert form == {"token": TOKEN, "token_type_hint": "access_token"}
    encoded = authorization.removeprefix("Basic ")
    assert base64.b64decode(encoded) == b"service:a-made-up%3Asecret%2Fwith%2Bsigns"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"active": False}, "not active"),
        ({"active": "true"}, "not active"),
        ({"aud": "https://other.example/mcp"}, "another service"),
        ({"aud": None}, "another service"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": 1}, "expired"),
        ({"nbf": 9_999_999_999}, "not valid yet"),
        ({"sub": None}, "no claim sub"),
        ({"client_id": None}, "no claim client_id"),
    ],
)
async def test_a_token_is_refused_for_what_the_issuer_says(
    introspecting: Service, issuer: Issuer, changed: dict[str, Any], why: str
) -> None:
    says(issuer, introspecting, **changed)
    answer = await introspecting.list_tools(TOKEN)
    assert answer.status_code == 401
    assert why in answer.json()["error_description"]


async def test_an_unknown_token_is_refused(introspecting: Service) -> None:
    assert await status(introspecting) == 401


@pytest.mark.attack(
    "A revoked token that is not a JWT",
    "It is refused after 30 seconds at the latest",
)
@pytest.mark.parametrize("missing", ["iss", "exp"])
async def test_what_the_issuer_need_not_say_may_be_missing(
    introspecting: Service, issuer: Issuer, missing: str
) -> None:
    says(issuer, introspecting, **{missing: None})
    assert await status(introspecting) == 200


async def test_an_answer_is_used_for_30_seconds_and_no_longer(
    introspecting: Service, issuer: Issuer
) -> None:
    says(issuer, introspecting)
    for _ in range(3):
        assert await status(introspecting) == 200
    issuer.opaque.clear()  # revoked
    introspecting.clocks.ahead += KEPT_SECONDS - 5
    assert await status(introspecting) == 200
    introspecting.clocks.ahead += 5
    assert await status(introspecting) == 401
    assert len(issuer.introspected) == 2


async def test_a_token_ends_though_its_answer_is_still_kept(
    introspecting: Service, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = int(time.time()) + 60
    says(issuer, introspecting, exp=end)
    assert (await introspecting.tokens.verify_token(TOKEN)) is not None
    monkeypatch.setattr(introspecting.clocks, "now", lambda: end + 31)
    introspecting.tokens._opaque._now = introspecting.clocks.now  # type: ignore[union-attr]
    assert (await introspecting.tokens.verify_token(TOKEN)) is None


async def test_a_flood_of_one_token_is_few_questions(
    introspecting: Service, issuer: Issuer
) -> None:
    says(issuer, introspecting)
    async with anyio.create_task_group() as flood:
        for _ in range(40):
            flood.start_soon(status, introspecting)
    assert len(issuer.introspected) <= 8


async def test_while_the_issuer_is_down_such_a_token_can_t_be_judged(
    introspecting: Service, issuer: Issuer
) -> None:
    says(issuer, introspecting)
    assert await status(introspecting) == 200
    issuer.fault = "closes"
    introspecting.clocks.ahead += KEPT_SECONDS
    answer = await introspecting.list_tools(TOKEN)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    issuer.fault = None
    introspecting.clocks.ahead += RETRY_SECONDS
    assert await status(introspecting) == 200


async def test_jwts_are_judged_without_a_question(introspecting: Service, issuer: Issuer) -> None:
    answer = await introspecting.list_tools(issuer.token(introspecting.url))
    assert answer.status_code == 200
    assert not issuer.introspected


async def test_without_a_secret_the_service_does_not_start(
    server: AccountServer, issuer: Issuer
) -> None:
    with pytest.raises(ValueError, match="TELNYX_MCP_INTROSPECTION_SECRET"):
        async with running_service(server, issuer.url, introspection_client_id="service"):
            pass
    assert INTROSPECTION_SECRET
