"""What the service answers to requests that may not go on, and that nothing slips through."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.service.challenges import LONGEST_BODY, called_tools, metadata_url
from telnyx_mcp.service.tokens.config import PROPOSE, READ
from tests.service.conftest import CHANGING, Service, running_service
from tests.service.issuer import SUBJECT, Issuer
from tests.support.client import Mode

PAYMENT = "telnyx_create_stored_payment_transaction"
BOTH = f"{READ} {PROPOSE}"


def call(name: object, **more: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": {"amount": "12.00"}},
        **more,
    }


def challenge(scope: str, error: str, service: Service) -> str:
    where = metadata_url(service.url)
    return f'{error}resource_metadata="{where}", scope="{scope}"'


@pytest.mark.attack(
    "Requests without a token, for any path",
    "401; no body is read and the issuer is not asked",
)
async def test_without_a_token_the_challenge_names_the_scope_and_no_error(
    service: Service,
) -> None:
    answer = await service.list_tools()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge(READ, "Bearer ", service)


async def test_no_request_without_a_token_reaches_any_path_or_the_issuer(
    service: Service, issuer: Issuer
) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS", "PUT"):
        for path in ("", "/", "/../mcp", "x"):
            answer = await service.http.request(method, f"{service.url}{path}")
            assert answer.status_code == 401, (method, path)
    assert not issuer.asked


async def test_without_the_base_scope_nothing_is_answered(service: Service, issuer: Issuer) -> None:
    for scope in (None, "", "openid", PROPOSE, "telnyx:readx", "TELNYX:READ"):
        answer = await service.list_tools(issuer.token(service.url, scope=scope))
        assert answer.status_code == 403
        assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
        assert answer.headers["www-authenticate"].endswith(f'scope="{READ}"')


async def test_a_changing_tool_needs_the_second_scope_before_anything_is_done(
    service: Service, issuer: Issuer, sandbox: Sandbox
) -> None:
    answer = await service.post(call(PAYMENT), issuer.token(service.url))
    assert answer.status_code == 403
    header = answer.headers["www-authenticate"]
    assert header.startswith('Bearer error="insufficient_scope", error_description="')
    assert header.endswith(challenge(BOTH, "", service))
    assert not sandbox.requests


async def test_with_both_scopes_a_changing_tool_is_called(service: Service, issuer: Issuer) -> None:
    answer = await service.post(call(PAYMENT), issuer.token(service.url, scope=BOTH))
    assert answer.status_code == 200
    assert "paying 12.00" in answer.text


@pytest.mark.attack(
    "A payment hidden from the check of scopes: in a batch, escaped, in another encoding, with keys twice",
    "403; nothing reaches Telnyx",
)
@pytest.mark.parametrize(
    "hidden",
    [
        [call(PAYMENT)],
        [{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, call(PAYMENT)],
        json.dumps(call(PAYMENT)).replace("t", "\\u0074").encode(),
        json.dumps(call(PAYMENT)).encode("utf-16"),
        json.dumps(call(PAYMENT)).encode("utf-32-be"),
        json.dumps(call(PAYMENT)).encode("utf-8-sig"),
        b'{"params": {"name": "telnyx_get_balance"}, ' + json.dumps(call(PAYMENT)).encode()[1:],
        b'{"method": "tools/list", ' + json.dumps(call(PAYMENT)).encode()[1:],
        b" \n\t" + json.dumps(call(PAYMENT)).encode() + b"\n",
        json.dumps(call(PAYMENT, x=float("nan"))).encode(),
        json.dumps({key: call(PAYMENT)[key] for key in ("method", "params")}).encode(),
    ],
    ids=[
        "batch", "behind another", "escaped", "utf-16", "utf-32", "byte order mark",
        "params twice", "method twice", "white space", "nan", "notification",
    ],
)  # fmt: skip
async def test_a_changing_call_does_not_slip_through_however_it_is_written(
    service: Service, issuer: Issuer, sandbox: Sandbox, hidden: Any
) -> None:
    answer = await service.post(hidden, issuer.token(service.url))
    assert answer.status_code == 403
    assert not sandbox.requests


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b"[[]]", b"null", b'"tools/call"', b"\xff\xfe", b"[" * 100_000]
)
async def test_what_is_no_message_goes_on_to_the_sdk_which_refuses_it(
    service: Service, issuer: Issuer, sent: bytes
) -> None:
    answer = await service.post(sent, issuer.token(service.url))
    assert answer.status_code == 400
    assert answer.json()["jsonrpc"] == "2.0"


@pytest.mark.parametrize("scope", [READ, BOTH])
async def test_a_body_of_more_than_4_mib_is_refused(
    service: Service, issuer: Issuer, scope: str
) -> None:
    token = issuer.token(service.url, scope=scope)
    answer = await service.post(b" " * (LONGEST_BODY + 1), token)
    assert answer.status_code == 413


async def test_a_body_of_just_4_mib_is_read(service: Service, issuer: Issuer) -> None:
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    answer = await service.post(message.ljust(LONGEST_BODY), issuer.token(service.url))
    assert answer.status_code == 200


async def test_a_client_reads_in_both_revisions(
    service: Service, issuer: Issuer, mode: Mode
) -> None:
    http = httpx2.AsyncClient(
        verify=False, headers={"authorization": f"Bearer {issuer.token(service.url)}"}, timeout=30
    )
    async with (
        http,
        Client(streamable_http_client(service.url, http_client=http), mode=mode) as client,
    ):
        result = await client.call_tool("telnyx_get_balance", {})
        assert not result.is_error


async def test_a_client_that_may_read_proposes_nothing_in_both_revisions(
    service: Service, issuer: Issuer, sandbox: Sandbox, mode: Mode
) -> None:
    http = httpx2.AsyncClient(
        verify=False, headers={"authorization": f"Bearer {issuer.token(service.url)}"}, timeout=30
    )
    async with (
        http,
        Client(streamable_http_client(service.url, http_client=http), mode=mode) as client,
    ):
        with pytest.raises(MCPError):
            await client.call_tool(PAYMENT, {"amount": "12.00"})
    assert not sandbox.requests


async def test_a_call_in_pieces_is_put_together_before_it_is_judged(
    service: Service, issuer: Issuer
) -> None:
    async def in_pieces(message: dict[str, Any]) -> AsyncIterator[bytes]:
        for letter in json.dumps(message):
            yield letter.encode()

    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "authorization": f"Bearer {issuer.token(service.url)}",
    }
    found = {}
    for name in (PAYMENT, "telnyx_get_balance"):
        content = in_pieces({**call(name), "params": {"name": name, "arguments": {}}})
        answer = await service.http.post(service.url, content=content, headers=headers)
        found[name] = answer.status_code
    assert found == {PAYMENT: 403, "telnyx_get_balance": 200}


@pytest.mark.parametrize("path", ["", "/mcp"])
async def test_the_metadata_names_the_issuer_and_every_scope(
    service: Service, issuer: Issuer, path: str
) -> None:
    where = metadata_url(service.url).removesuffix("/mcp") + path
    answer = await service.http.get(where)
    assert answer.json() == {
        "resource": service.url,
        "authorization_servers": [issuer.url],
        "scopes_supported": [READ, PROPOSE],
        "bearer_methods_supported": ["header"],
        "resource_name": "Telnyx account",
    }
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_all_scopes_may_be_asked_for_at_once_and_with_a_prefix(
    server: AccountServer, issuer: Issuer
) -> None:
    async with running_service(
        server, issuer.url, ask_all_scopes=True, scope_prefix="api://id/"
    ) as service:
        answer = await service.list_tools()
        both = f"api://id/{READ} api://id/{PROPOSE}"
        assert answer.headers["www-authenticate"] == challenge(both, "Bearer ", service)
        found = (await service.http.get(metadata_url(service.url))).json()
        assert found["scopes_supported"] == both.split()


async def test_a_denied_subject_is_refused_without_a_challenge(
    server: AccountServer, issuer: Issuer
) -> None:
    async with running_service(server, issuer.url, deny_subjects=[SUBJECT]) as service:
        answer = await service.list_tools(issuer.token(service.url))
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
        assert "www-authenticate" not in answer.headers
        assert (await service.list_tools(issuer.token(service.url, sub="bob"))).is_success


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just(PAYMENT),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["method", "params", "name", "id"]) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["utf-8", "utf-16", "utf-32-le"]))
def test_any_json_is_looked_at_without_an_error(message: object, encoding: str) -> None:
    called_tools(json.dumps(message).encode(encoding))


@given(st.binary(max_size=60))
def test_any_bytes_are_looked_at_without_an_error(body: bytes) -> None:
    called_tools(body)


@given(st.lists(JSON, max_size=4), st.integers(0, 4), st.sampled_from(sorted(CHANGING)))
def test_a_call_is_found_wherever_it_stands_in_a_batch(
    others: list[object], place: int, name: str
) -> None:
    batch = [*others[:place], call(name), *others[place:]]
    assert name in called_tools(json.dumps(batch).encode())
