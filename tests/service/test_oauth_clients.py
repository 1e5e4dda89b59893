"""Clients of other makers sign in at a real identity provider, and ask for more when they need it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio.to_thread
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.service.tokens.claims import person_of
from telnyx_mcp.service.tokens.config import PROPOSE, READ
from tests.interop.processes import HERE, NODE_MODULES, find_node, run
from tests.service.conftest import Service, running_service
from tests.service.identity_provider import (
    ASSISTANT,
    INTROSPECTOR,
    IdentityProvider,
    provider_missing,
    running_provider,
)
from tests.support.client import Mode

pytestmark = pytest.mark.interop

REDIRECT = "http://127.0.0.1:7777/callback"
DOCUMENT = "https://client.example/assistant.json"
METADATA: dict[str, Any] = {
    "client_name": "An assistant",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "application_type": "native",
}
BALANCE: tuple[str, dict[str, Any]] = ("telnyx_get_balance", {})
PAYMENT: tuple[str, dict[str, Any]] = (
    "telnyx_create_stored_payment_transaction",
    {"amount": "12.00"},
)
CALLS = (BALANCE, PAYMENT, BALANCE)


@dataclass
class Seen:
    """What a client did."""

    revision: str = ""
    client: str | None = None
    asked: list[set[str]] = field(default_factory=list)
    """The scopes of each sign-in, without those of OpenID Connect itself."""
    refused: list[str] = field(default_factory=list)
    results: list[Mapping[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    if missing := provider_missing():
        pytest.skip(missing)
    with running_provider(documents={DOCUMENT: {**METADATA, "client_id": DOCUMENT}}) as running:
        running.sign_in("alice")
        yield running


@pytest.fixture
async def signed(server: AccountServer, provider: IdentityProvider) -> AsyncIterator[Service]:
    """The server behind the challenges, for tokens of the provider."""
    provider.change(format="jwt")
    async with running_service(server, provider.url) as service:
        yield service


# --- clients -------------------------------------------------------------------------------------


def scopes(asked: str) -> set[str]:
    return set(asked.split()) - {"openid", "offline_access"}


class Memory:
    """Where the Python client keeps what it was given."""

    def __init__(self, known: bool) -> None:
        self.tokens: OAuthToken | None = None
        self.client = (
            OAuthClientInformationFull(
                client_id=ASSISTANT,
                redirect_uris=[AnyUrl(REDIRECT)],
                token_endpoint_auth_method="none",
            )
            if known
            else None
        )

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def browsed(url: str) -> dict[str, str]:
    """What the provider gives the client, after a person's browser followed its redirects."""
    async with httpx2.AsyncClient(verify=False, timeout=30) as browser:
        while not url.startswith(REDIRECT):
            answer = await browser.get(url)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["location"])
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def with_python(service: Service, registration: str, mode: Mode) -> Seen:
    seen = Seen()
    given: dict[str, str] = {}

    async def redirect(address: str) -> None:
        asked = parse_qs(urlsplit(address).query)
        seen.asked.append(scopes(asked["scope"][0]))
        seen.client = asked["client_id"][0]
        given.clear()
        given.update(await browsed(address))
        if "error" in given:
            seen.refused.append(given["error"])
            raise OAuthFlowError(f"the provider refused: {given['error']}")

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(
            code=given["code"], state=given.get("state"), iss=given.get("iss")
        )

    auth = OAuthClientProvider(
        service.url,
        OAuthClientMetadata.model_validate(METADATA),
        Memory(registration == "known"),
        redirect,
        callback,
        client_metadata_url=DOCUMENT if registration == "document" else None,
    )
    try:
        async with (
            httpx2.AsyncClient(verify=False, auth=auth, timeout=30) as http,
            Client(streamable_http_client(service.url, http_client=http), mode=mode) as client,
        ):
            seen.revision = client.protocol_version or ""
            for name, arguments in CALLS:
                result = await client.call_tool(name, arguments)
                text = next(each.text for each in result.content if each.type == "text")
                seen.results.append({"isError": result.is_error, "text": text})
    except* OAuthFlowError as refused:  # which ends this client
        seen.results.append({"failed": str(refused.exceptions[0])})
    return seen


async def with_typescript(service: Service, registration: str, mode: str, sdk: int) -> Seen:
    node = find_node()
    if node is None or not (NODE_MODULES / ".ready").exists():
        pytest.skip("the clients are not installed: make interop")
    plan = {
        "sdk": sdk,
        "mode": mode,
        "url": service.url,
        "registration": registration,
        "document": DOCUMENT,
        "issuer": service.tokens.config.url,
        "calls": CALLS,
    }
    ended = await anyio.to_thread.run_sync(
        lambda: run(node, HERE / "oauth.mjs", json.dumps(plan), environment={})
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    report = json.loads(ended.stdout)
    return Seen(
        report["revision"],
        report["client"],
        [scopes(each) for each in report["asked"]],
        report["refused"],
        report["results"],
    )


Maker = Callable[[Service, str], Awaitable[Seen]]
MAKERS: dict[str, Maker] = {
    "python-legacy": partial(with_python, mode="legacy"),
    "python-auto": partial(with_python, mode="auto"),
    "typescript-v1": partial(with_typescript, mode="legacy", sdk=1),
    "typescript-v2-legacy": partial(with_typescript, mode="legacy", sdk=2),
    "typescript-v2-auto": partial(with_typescript, mode="auto", sdk=2),
}


each_maker = pytest.mark.parametrize("maker", MAKERS)


def read_and_proposed(seen: Seen) -> bool:
    """Whether every call was answered."""
    said = [each.get("text", "") for each in seen.results]
    return [
        "balance" in text if name == BALANCE[0] else "paying 12.00" in text
        for (name, _), text in zip(CALLS, said, strict=True)
    ] == [True] * len(CALLS)


@pytest.mark.parametrize("registration", ["known", "document"])
@each_maker
async def test_a_client_signs_in_to_read_and_again_to_propose(
    signed: Service, maker: str, registration: str
) -> None:
    seen = await MAKERS[maker](signed, registration)
    assert seen.revision == ("2026-07-28" if maker.endswith("auto") else "2025-11-25")
    assert seen.client == {"known": ASSISTANT, "document": DOCUMENT}[registration]
    assert (seen.asked, seen.refused) == ([{READ}, {READ, PROPOSE}], [])
    assert read_and_proposed(seen)


@each_maker
async def test_a_client_that_registered_itself_reads_but_is_refused_more_by_a_strict_provider(
    signed: Service, maker: str
) -> None:
    """It registered for the scope of the first challenge, which the provider holds it to."""
    seen = await MAKERS[maker](signed, "itself")
    assert (seen.asked, seen.refused) == ([{READ}, {READ, PROPOSE}], ["invalid_scope"])
    assert not seen.results[0]["isError"]
    assert "failed" in seen.results[1]


@each_maker
async def test_asked_for_all_scopes_a_client_that_registered_itself_proposes(
    server: AccountServer, provider: IdentityProvider, maker: str
) -> None:
    async with running_service(server, provider.url, ask_all_scopes=True) as service:
        seen = await MAKERS[maker](service, "itself")
    assert (seen.asked, seen.refused) == ([{READ, PROPOSE}], [])
    assert read_and_proposed(seen)


async def test_version_1_refreshes_where_it_should_ask_for_more(
    signed: Service, provider: IdentityProvider
) -> None:
    """With a refresh token that it did not ask for. `ask_all_scopes` helps here too."""
    provider.change(refresh="always")
    seen = await MAKERS["typescript-v1"](signed, "known")
    provider.change(refresh="asked")
    assert seen.asked == [{READ}]
    assert "failed" in seen.results[1]


async def test_opaque_tokens_are_judged_by_the_provider(
    server: AccountServer, provider: IdentityProvider
) -> None:
    client_id, secret = INTROSPECTOR
    provider.change(format="opaque")
    async with running_service(
        server, provider.url, secret, introspection_client_id=client_id
    ) as service:
        seen = await MAKERS["python-auto"](service, "known")
        # This provider names no subject for programs, and a service must not guess who it is.
        answer = await service.list_tools(provider.robot_token(READ, service.url))
    provider.change(format="jwt")
    assert read_and_proposed(seen)
    assert "it has no claim sub" in answer.text


async def test_a_program_reads_in_its_own_name(signed: Service, provider: IdentityProvider) -> None:
    token = provider.robot_token(READ, signed.url)
    assert (await signed.list_tools(token)).status_code == 200
    access = await signed.tokens.verify_token(token)
    assert access is not None
    program = person_of(access, signed.tokens.config)
    assert program.subject == program.client_id != ""


async def test_a_good_token_stays_good_while_the_provider_is_down(server: AccountServer) -> None:
    if missing := provider_missing():
        pytest.skip(missing)
    with ExitStack() as until_it_ends:
        provider = until_it_ends.enter_context(running_provider())
        async with running_service(server, provider.url) as service:
            token = provider.robot_token(READ, service.url)
            assert (await service.list_tools(token)).status_code == 200
            until_it_ends.close()
            service.clocks.ahead += 24 * 3600
            assert (await service.list_tools(token)).status_code == 200
            assert await service.tokens.issuer.is_ready()
