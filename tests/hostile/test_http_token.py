"""Another program or user of this computer reaches the port of `serve --http`, and gains nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

from telnyx_mcp.sandbox import Sandbox
from tests.support.client import Mode, text_of
from tests.support.http_messages import CALL, HEADERS, INITIALIZE
from tests.support.ports import free_port
from tests.support.server_process import (
    BEARER,
    OVER_HTTP,
    TOKEN,
    ServerProcess,
    client_of,
    environment_for,
    started,
    started_http,
)

PAY = "telnyx_create_stored_payment_transaction"
CHANGES = [
    (PAY, {"amount": "120.00"}),
    ("telnyx_update_auto_recharge_preferences", {"threshold_amount": "50.00"}),
]
POSIX = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


async def said(server: ServerProcess) -> str:
    """All that a server wrote to stderr, which is told to leave; nothing stands on its stdout."""
    server.process.terminate()
    out, err = await server.process.communicate()
    assert (server.process.returncode, out) == (0, b"")
    return err.decode()


async def balance(url: str, mode: Mode = "auto", token: str = TOKEN) -> CallToolResult:
    async with client_of(url, mode, token=token) as client:
        return await client.call_tool("telnyx_get_balance", {})


async def answers_itself(
    context: ClientRequestContext, params: ElicitRequestParams
) -> ElicitResult:
    """A client that approves whatever it is asked, without a person."""
    [field] = params.requested_schema["properties"]  # type: ignore[union-attr]
    typed = re.search(r"\d+\.\d\d", params.message)
    content: dict[str, Any] = {"amount": typed and typed[0]} if field == "amount" else {field: True}
    return ElicitResult(action="accept", content=content)


# --- without the token ----------------------------------------------------------------------------

NOT_THE_TOKEN = (
    None,
    "",
    TOKEN,
    "Bearer",
    f"Bearer {TOKEN[:-1]}",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN.upper()}",
    f"Bearer {TOKEN} {TOKEN}",
    f"Bearer {TOKEN},",
    f"Basic {TOKEN}",
    f"Token {TOKEN}",
    "Bearer \xff",
    "Bearer " + "x" * 10_000,
)


@pytest.mark.attack(
    "Another local user calls the HTTP port",
    "401 for every path and method; no body is read",
)
async def test_without_the_token_nothing_is_answered(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {**environment_for(sandbox, tmp_path), **OVER_HTTP}
    plain = {name: value for name, value in HEADERS.items() if name != "authorization"}
    async with (
        started_http(environment=environment) as (server, url),
        httpx.AsyncClient(verify=False, timeout=5) as client,
    ):
        attempts = [("POST", "/mcp", each) for each in NOT_THE_TOKEN]
        methods = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONE")
        attempts += [(method, "/mcp", None) for method in methods]
        paths = ("/", "/MCP", "/mcp/", "/.well-known/oauth-protected-resource", "/register", "/sse")
        attempts += [(method, path, None) for path in paths for method in ("GET", "POST")]
        for method, path, given in attempts:
            headers = [(name.encode(), value.encode()) for name, value in plain.items()]
            if given is not None:
                headers.append((b"authorization", given.encode("latin-1")))
            target = url.replace("/mcp", path)
            answer = await client.request(method, target, headers=headers, json=INITIALIZE)
            assert answer.status_code == 401, (method, path, given)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "mcp-session-id" not in answer.headers
            assert len(answer.content) < 200
        twice = [*plain.items(), *BEARER.items(), *BEARER.items()]
        assert (await client.post(url, headers=twice, json=INITIALIZE)).status_code == 401
        assert not (await balance(url)).is_error
        assert TOKEN not in await said(server)
    assert {each.path for each in sandbox.requests} == {"/v2/balance", "/v2/spend_limits"}


async def test_a_session_that_was_opened_with_the_token_is_not_used_without(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = {**environment_for(sandbox, tmp_path), **OVER_HTTP}
    async with (
        started_http(environment=environment) as (_, url),
        httpx.AsyncClient(verify=False, timeout=5) as client,
    ):
        opened = await client.post(url, headers=HEADERS, json=INITIALIZE)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": CALL}
        for method in ("POST", "GET", "DELETE"):
            headers = {**HEADERS, **session, "authorization": "Bearer no"}
            answer = await client.request(method, url, headers=headers, json=call)
            assert answer.status_code == 401
    assert sandbox.requests == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", ["Content-Length: 100000000", "Transfer-Encoding: chunked", "Expect: 100-continue"]
)
async def test_no_body_is_waited_for_without_the_token(more: str) -> None:
    async with started_http(environment=OVER_HTTP) as (_, url):
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        more = more if "Expect" not in more else f"{more}\r\nContent-Length: 1000"
        writer.write(
            f"POST /mcp HTTP/1.1\r\nHost: {address.netloc.decode()}\r\n{more}\r\n\r\n".encode()
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_taken_in_any_case(scheme: str) -> None:
    async with (
        started_http(environment=OVER_HTTP) as (_, url),
        httpx.AsyncClient(verify=False) as client,
    ):
        headers = {**HEADERS, "authorization": f"{scheme} {TOKEN}"}
        assert (await client.post(url, headers=headers, json=INITIALIZE)).status_code == 200


# --- where the token comes from -------------------------------------------------------------------


async def test_a_new_token_is_made_and_shown_once_in_an_entry_that_works(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    tokens = set()
    for _ in range(2):
        async with started_http(environment=environment_for(sandbox, tmp_path)) as (server, url):
            assert server.process.stderr
            shown = (await server.process.stderr.readuntil(b"\n}\n")).decode()
            [entry] = json.loads(shown[shown.index("{") :])["mcpServers"].values()
            token = entry["headers"]["Authorization"].removeprefix("Bearer ")
            assert (entry["type"], entry["url"]) == ("http", url)
            assert not (await balance(entry["url"], mode, token)).is_error
            assert shown.count(token) == 1
            assert token not in await said(server)
            tokens.add(token)
    assert len(tokens) == 2
    assert all(len(each) >= 32 for each in tokens)


async def test_a_token_of_the_environment_is_not_shown(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {**environment_for(sandbox, tmp_path), **OVER_HTTP}
    async with started_http(environment=environment) as (server, url):
        assert not (await balance(url)).is_error
        shown = await said(server)
    assert TOKEN not in shown
    assert "TELNYX_MCP_HTTP_TOKEN" in shown
    assert url in shown


BAD_TOKENS = ("x" * 15, " " + "x" * 15, "xxxxxxxx xxxxxxxx", "xxxxxxxxé-xxxxxxxx", "x" * 20 + "\ty")


@pytest.mark.slow
@pytest.mark.parametrize("token", BAD_TOKENS)
async def test_a_token_that_cannot_be_used_ends_the_start_and_is_not_shown(token: str) -> None:
    environment = {"TELNYX_MCP_HTTP_TOKEN": token}
    async with started("serve", "--http", str(free_port()), environment=environment) as server:
        status, out, err = await server.ended()
    assert (status, out) == (2, b"")
    assert b"TELNYX_MCP_HTTP_TOKEN" in err
    assert token.strip().encode() not in err


async def test_a_token_file_is_made_for_its_user_alone_and_used_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    environment = environment_for(sandbox, tmp_path)
    tokens = set()
    for _ in range(2):
        async with started_http("--token-file", str(file), environment=environment) as (
            server,
            url,
        ):
            token = file.read_text("ascii").strip()
            assert not (await balance(url, token=token)).is_error
            shown = await said(server)
        assert token not in shown
        assert str(file) in shown
        tokens.add(token)
    assert len(tokens) == 1
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def refused(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Why a server did not start."""
    async with started("serve", *arguments, environment=environment or {}) as server:
        status, out, err = await server.ended()
    assert (status, out) == (2, b"")
    assert b"Traceback" not in err
    assert TOKEN.encode() not in err
    return err.decode()


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
async def test_a_token_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    file, link = tmp_path / "token", tmp_path / "link"
    file.write_text(TOKEN, encoding="ascii")
    file.chmod(mode)
    link.symlink_to(file)
    for given in (file, link):
        text = await refused("--http", str(free_port()), "--token-file", str(given))
        assert "chmod 600" in text


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("kind", ["folder", "fifo", "empty", "short", "binary", "nowhere", "large"])
async def test_an_invalid_token_file_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "token"
    contents = {
        "empty": b"",
        "short": b"x" * 15,
        "binary": bytes(range(256)),
        "large": b"a b" * 9999,
    }
    if kind in contents:
        file.write_bytes(contents[kind])
        file.chmod(0o600)
    elif kind == "folder":
        file.mkdir(0o700)
    elif kind == "fifo":
        os.mkfifo(file, 0o600)
    else:
        file = tmp_path / "nowhere" / "token"
    text = await refused("--http", str(free_port()), "--token-file", str(file))
    assert str(file) in text


@pytest.mark.slow
async def test_two_sources_of_a_token_are_refused(tmp_path: Path) -> None:
    http = ("--http", str(free_port()))
    for other in (("--no-token",), ("--token-file", str(tmp_path / "token"))):
        text = await refused(*http, *other, environment=OVER_HTTP)
        assert "TELNYX_MCP_HTTP_TOKEN" in text
        assert other[0] in text
        assert other[0] in await refused(*other)  # without --http
    await refused(*http, "--no-token", "--token-file", str(tmp_path / "token"))
    assert not (tmp_path / "token").exists()


# --- without any token ----------------------------------------------------------------------------


@pytest.mark.attack(
    "With `--no-token`, a client approves its own question",
    "Nothing is changed",
)
@pytest.mark.parametrize("approval", ["auto", "elicitation", "terminal"])
async def test_with_no_token_a_client_that_answers_its_own_question_changes_nothing(
    sandbox: Sandbox, tmp_path: Path, mode: Mode, approval: str
) -> None:
    environment = {**environment_for(sandbox, tmp_path), "TELNYX_MCP_APPROVAL": approval}
    async with started_http("--no-token", environment=environment) as (server, url):
        async with Client(url, mode=mode, elicitation_callback=answers_itself) as client:
            for tool, arguments in (*CHANGES, *CHANGES):
                result = await client.call_tool(tool, arguments)
                assert "approv" in text_of(result)
        shown = await said(server)
    assert {each.method for each in sandbox.requests} == {"GET"}
    assert "NO TOKEN" in shown
    assert "propose" in shown


async def test_without_a_token_no_client_spends_a_standing_budget(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = {
        **environment_for(sandbox, tmp_path),
        "TELNYX_MCP_STANDING_BUDGET_PER_PAYMENT": "200.00",
        "TELNYX_MCP_STANDING_BUDGET_PER_DAY": "500.00",
    }
    async with (
        started_http("--no-token", environment=environment) as (_, url),
        Client(url) as client,
    ):
        await client.call_tool(PAY, {"amount": "120.00"})
    assert sandbox.payments == []


async def test_with_the_token_the_question_is_the_clients_to_answer(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    environment = {**environment_for(sandbox, tmp_path), **OVER_HTTP}
    async with (
        started_http(environment=environment) as (_, url),
        client_of(url, mode, elicitation_callback=answers_itself) as client,
    ):
        result = await client.call_tool(PAY, {"amount": "120.00"})
    assert (result.structured_content or {})["state"] == "succeeded"
    assert [each["amount_cents"] for each in sandbox.payments] == [12_000]
