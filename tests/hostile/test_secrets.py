"""The key is in no answer, question, log, error, file or output, however it is spelt."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import SqliteStore
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import Mode, connected, text_of
from tests.support.clock import NOW, TODAY
from tests.support.command import Run
from tests.support.scripted_telnyx import Answer, Scripted, answer, hang_up
from tests.support.server_process import environment_for, started
from tests.support.simulated_time import Time
from tests.support.tool_calls import CALLS, ID

PLAIN_KEY = "KEY0199ABCDEF0123456789_hostileTestsSecret"
ODD_KEY = 'KEY0199/hostile+tests=="quoted"\\back&amp;<x>\'%2F'
"""No key of Telnyx's looks so; but every way to spell it is another text."""
LINK_SECRET = "X-Amz-Signature=9f86d081884c7d659a2feaa0c55ad015"


@pytest.fixture(params=[PLAIN_KEY, ODD_KEY], ids=["plain key", "odd key"])
def key(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def spellings(key: str) -> set[bytes]:
    """The key as it might be written by somebody who does not know that it is one."""
    written = json.dumps(key)[1:-1]
    texts = {
        *(key, written, json.dumps(written)[1:-1], written.replace("/", "\\/")),
        *(quote(key), quote(key, safe=""), quote_plus(key), repr(key)[1:-1]),
        *(key.lower(), key.upper(), key[::-1]),
    }
    # In base64 the same text is another one at each of three places.
    padded = {base64.b64encode(b"x" * before + key.encode())[4:-4] for before in range(3)}
    return {each.encode() for each in texts} | padded | {key.encode().hex().encode()}


def check_silent(key: str, *said: object) -> None:
    """Neither the key nor a long part of it is in any of these."""
    for each in said:
        content = each if isinstance(each, bytes) else str(each).encode("utf-8", "replace")
        assert [form for form in spellings(key) if form in content] == [], content[:2000]
        parts = [key[at : at + 16].encode() for at in range(len(key) - 15)]
        assert [part for part in parts if part in content] == [], content[:2000]


def test_the_check_finds_a_key_however_it_is_spelt(key: str) -> None:
    basic = base64.b64encode(f"user:{key}".encode())
    for leak in (
        key,
        f"x{key[3:25]}",
        json.dumps({"a": [key]}),
        json.dumps(json.dumps([key])),
        f"https://h/?k={quote_plus(key)}&x",
        b"Basic " + basic,
        b"\x00" + key.encode() + b"\x00",
    ):
        with pytest.raises(AssertionError):
            check_silent(key, leak)
    check_silent(key, "KEY...", "TELNYX_API_KEY", b"KEY0")


def all_bytes(folder: Path) -> Iterable[tuple[str, bytes]]:
    """Every file below the folder: ledger, pace, their logs, exports, drafts."""
    return [(str(file), file.read_bytes()) for file in folder.rglob("*") if file.is_file()]


# --- a Telnyx that echoes --------------------------------------------------------------------------


def echoes(key: str) -> dict[str, Answer]:
    """Answers that hold the key in every place that an answer has."""
    entry = {
        "code": key,
        "title": f"Bad {key}",
        "detail": f"Bearer {key} is no key.",
        "source": {"pointer": f"/{key}", "parameter": key},
        "meta": {"url": f"https://h/{key}"},
    }
    complaint = {"errors": [entry, {"detail": key * 20}]}
    header = {
        "x-echo": key.replace("\\", ""),
        "retry-after": "0",
        "www-authenticate": f"Bearer {key}",
    }
    slashed = json.dumps(complaint).replace("/", "\\/").encode()
    row = {"id": key, "note": key, key: key, "deep": [{"a": [key, f"x{key}y"]}], "tn": key}
    said = {
        f"status {status}": answer(status, complaint, header)
        for status in (400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503)
    }
    return said | {
        "slashed": answer(422, slashed, header),
        "own rate limit": answer(429, {"errors": [{**entry, "code": "10011"}]}, header),
        "redirect": answer(302, headers={"location": f"https://elsewhere.example/{key}"}),
        "a page": answer(500, f"<html>{key}</html>".encode()),
        "no JSON": answer(200, f"{key} {{".encode()),
        "no data": answer(200, {"data": None, "was": key}),
        "a text": answer(200, {"data": key}),
        "a row": answer(200, {"data": row}),
        "rows": answer(200, {"data": [row, row], "meta": {"total_pages": key}}),
        "no HTTP": hang_up(f"HTTP/1.1 {key} {key}\r\n\r\n".encode()),
        "a bad header": hang_up(f"HTTP/1.1 200 OK\r\n{key}\r\n\r\n{key}".encode()),
        "half": hang_up(f"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{key}".encode()),
    }


@pytest.fixture
async def echoed(
    scripted: Scripted, key: str, time: Time, tmp_path: Path
) -> AsyncIterator[AccountServer]:
    """A server for the scripted Telnyx that keeps its pace and its exports in files."""
    address = f"sqlite:///{tmp_path}/state.sqlite3"
    place = SqliteStore(tmp_path / "state.pace.sqlite3", key, time.clock)
    pacer = Pacer(place, sleep=time.sleep, clock=time.clock)
    transport = Transport(
        SecretStr(key), scripted.base_url, pacer=pacer, clock=time.clock, sleep=time.sleep
    )
    server = build_server(
        Settings(
            api_key=SecretStr(key),
            base_url=scripted.base_url,
            state_url=SecretStr(address),
            export_dir=tmp_path / "exports",
        ),
        transport=transport,
        now=lambda: NOW,
    )
    yield server
    await transport.aclose()


async def _approves(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    QUESTIONS.append(params.message)
    amount = params.message.rpartition("type the amount: ")[2]
    return ElicitResult(action="accept", content={"amount": amount, "approve": True})


QUESTIONS: list[str] = []
"""What was asked of a person, in the test that runs."""


async def test_a_telnyx_that_echoes_the_key_puts_it_nowhere(
    scripted: Scripted,
    echoed: AccountServer,
    key: str,
    mode: Mode,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)  # at DEBUG, httpcore writes down what a server sent it
    QUESTIONS.clear()
    said: list[str] = []
    async with connected(echoed, mode, _approves) as client:
        for told in echoes(key).values():
            scripted.will(told)
            for tool, arguments in CALLS.items():
                result = await client.call_tool(tool, arguments)
                said.append(f"{text_of(result)} {result.structured_content}")
                assert "Error executing tool" not in said[-1]
    check_silent(key, *said, *QUESTIONS, *capfd.readouterr(), caplog.text)
    check_silent(key, *(f"{each.args}{each.exc_info}{each.msg}" for each in caplog.records))
    for name, content in all_bytes(tmp_path):
        check_silent(key, name, content)


async def test_a_connection_that_fails_does_not_reveal_the_key(
    scripted: Scripted, key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port = scripted.base_url.removeprefix("http://127.0.0.1:")
    said = []
    for address in (f"https://127.0.0.1:{port}", "http://127.0.0.1:1/v2", "https://h.invalid/v2"):
        settings = Settings(
            api_key=SecretStr(key),
            base_url=address,
            state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
        )

        async def at_once(_seconds: float) -> None:
            pass

        transport = Transport(SecretStr(key), settings.base_url, sleep=at_once)
        server = build_server(settings, transport=transport, now=lambda: NOW)
        async with connected(server, "auto", _approves) as client:
            for tool in ("telnyx_get_balance", "telnyx_create_stored_payment_transaction"):
                result = await client.call_tool(tool, CALLS[tool])
                said.append(text_of(result))
        await transport.aclose()
    assert "TLS" in said[0]
    assert "http://127.0.0.1:1/v2" in said[2]
    check_silent(key, *said, *capfd.readouterr())


async def test_a_traceback_does_not_reveal_the_key(
    echoed: AccountServer,
    scripted: Scripted,
    key: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not that one is known of: an error that no one thought of is logged with one by the SDK."""

    async def fails(self: TelnyxClient, *_arguments: object, **_more: object) -> None:
        raise RuntimeError("a mistake of ours") from ValueError(self.transport._key)

    monkeypatch.setattr(TelnyxClient, "_data", fails)
    said = []
    async with connected(echoed) as client:
        for tool, arguments in CALLS.items():
            said.append(text_of(await client.call_tool(tool, arguments)))
    assert "Traceback" in caplog.text
    assert "Traceback" not in "".join(said)
    check_silent(key, *said, *capfd.readouterr(), caplog.text)


# --- a sandbox account, on which all goes well -----------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(PLAIN_KEY, id="plain key", marks=pytest.mark.slow),
        pytest.param(ODD_KEY, id="odd key"),
    ],
    indirect=True,
)
async def test_a_day_of_work_leaves_the_key_nowhere(
    key: str,
    mode: Mode,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Every tool, a payment and a change approved, files written; even the log of a developer."""
    caplog.set_level(logging.DEBUG)
    QUESTIONS.clear()
    exports = tmp_path / "exports"
    said = []
    with running_sandbox(today=TODAY, rate_limit=None, records_per_day=1, key=key) as sandbox:
        settings = Settings(
            api_key=SecretStr(key),
            base_url=sandbox.base_url,
            state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
            export_dir=exports,
        )
        server = build_server(settings, now=lambda: NOW)
        async with connected(server, mode, _approves) as client:
            for tool, arguments in CALLS.items():
                said.append(str(await client.call_tool(tool, arguments)))
            listed = await client.list_resources()
            said += [str(await client.read_resource(each.uri)) for each in listed.resources]
            files = all_bytes(tmp_path)  # with the logs that SQLite empties when it closes
        await server.accounts.aclose()
        assert len(sandbox.payments) == 1
    check_silent(key, *said, *QUESTIONS, *capfd.readouterr(), caplog.text)
    check_silent(key, *(f"{each.args}" for each in caplog.records), settings)
    check_silent(key, await server.accounts.main.services())
    names = [name for name, _ in files]
    assert len(QUESTIONS) == 2
    assert sum(name.endswith(".csv") for name in names) == 2
    assert any(name.endswith("-wal") for name in names)
    assert any(".pace." in name for name in names)
    for name, content in [*files, *all_bytes(tmp_path)]:
        check_silent(key, name, content)


async def test_a_link_to_an_invoice_is_only_in_the_answer_and_written_nowhere(
    scripted: Scripted,
    echoed: AccountServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, "telnyx_mcp")
    link = f"https://s3.example/invoice.pdf?{LINK_SECRET}"
    scripted.will_answer({"data": {"invoice_id": ID, "paid": True, "download_url": link}})
    async with connected(echoed) as client:
        asked = await client.call_tool(
            "telnyx_get_invoice", {"invoice_id": ID, "include_download_link": True}
        )
        unasked = await client.call_tool("telnyx_get_invoice", {"invoice_id": ID})
    assert (asked.structured_content or {})["download_url"] == link
    written = f"{unasked}{capfd.readouterr()}{caplog.text}"
    assert LINK_SECRET not in written
    assert [name for name, content in all_bytes(tmp_path) if LINK_SECRET.encode() in content] == []


# --- the command -----------------------------------------------------------------------------------

KEYED = "KEY0199ABCDEF0123456789_commandLineSecret"
PASSWORD = "pw-hostile-0123456789"
COMMANDS: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("call", "telnyx_get_balance"), {}),
    (("call", "telnyx_list_invoices", "--json"), {}),
    (("call", "telnyx_list_invoices", "pagesize=3", "--json"), {}),
    (("call", "telnyx_create_stored_payment_transaction", "amount=10"), {}),
    (("ledger",), {}),
    (("ledger", "--json"), {}),
    (("approve",), {}),
    (("resolve", "beef", "--paid"), {}),
    (("call", "telnyx_get_balance"), {"TELNYX_BASE_URL": "https://127.0.0.1:1/v2"}),
    (("call", "telnyx_get_balance"), {"TELNYX_BASE_URL": f"https://u:{PASSWORD}@h.invalid/v2"}),
    (("call", "telnyx_get_balance"), {"TELNYX_BASE_URL": f"http://:{PASSWORD}@127.0.0.1:1/v2"}),
    (("serve",), {"TELNYX_API_KEY": f"{KEYED} {PASSWORD}"}),
    (("serve",), {"TELNYX_API_KEY": f"{KEYED}\x7f"}),
    (("serve",), {"TELNYX_MCP_MAX_PAYMENT": KEYED}),
    *(
        (command, {"TELNYX_API_KEY": f"{KEYED} {PASSWORD}"})
        for command in (
            ("install", "cursor", "--yes"),
            ("install", "vscode", "--yes"),
            ("install", "cursor", "--yes", "--profile", "eu"),
            ("key", "set", "--profile", "eu"),
            ("key", "set", "--from-env", "TELNYX_API_KEY"),
            ("key", "set"),
            ("doctor",),
        )
    ),
    (("install", "vscode", "--yes", "--env", f"TELNYX_MCP_STATE_URL=no url {PASSWORD}"), {}),
    (("install", "cursor", "--print"), {}),
    (("uninstall", "cursor", "--yes"), {}),
    (("key", "remove"), {}),
    (("doctor", "--json"), {}),
    (("serve",), {"TELNYX_MCP_APPROVAL": KEYED, "TELNYX_MCP_TIMEZONE": KEYED}),
    (("ledger",), {"TELNYX_MCP_STATE_URL": f"postgresql+psycopg://u:{PASSWORD}@127.0.0.1:1/d"}),
    (("ledger",), {"TELNYX_MCP_STATE_URL": f"mysql://u:{PASSWORD}@h/d"}),
    (("ledger",), {"TELNYX_MCP_STATE_URL": f"no url {PASSWORD}"}),
    (("ledger",), {"TELNYX_MCP_STATE_URL": "sqlite:////proc/nowhere/state.sqlite3"}),
    (
        ("call", "telnyx_create_stored_payment_transaction", "amount=10"),
        {"TELNYX_MCP_STATE_URL": f"postgresql+psycopg://u:{PASSWORD}@127.0.0.1:1/d"},
    ),
)


@pytest.fixture(scope="module")
def keyed() -> Iterator[Sandbox]:
    """A sandbox account with a key that is easily recognised."""
    with running_sandbox(today=TODAY, rate_limit=None, records_per_day=1, key=KEYED) as sandbox:
        yield sandbox


def is_wrong(arguments: Sequence[str], more: Mapping[str, str]) -> bool:
    """Whether the command can't succeed. A server starts with any setting, and answers what is wrong."""
    return bool(more) and arguments[0] != "serve"


def check_command(folder: Path, status: int, out: str, err: str, *, wrong: bool) -> None:
    """A command with a wrong setting fails, and no command shows a secret or writes one down."""
    assert not (wrong and status == 0)
    assert "Traceback" not in out + err
    assert PASSWORD not in out + err
    check_silent(KEYED, out, err)
    for name, content in all_bytes(folder):
        check_silent(KEYED, name, content)


@pytest.fixture
def environment(keyed: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The environment of a command that works on this account, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    return environment_for(keyed, tmp_path) | {"HOME": str(home), "COLUMNS": "200"}


@pytest.mark.skipif(sys.platform == "win32", reason="its temporary files are elsewhere")
@pytest.mark.parametrize(
    ("arguments", "more"), [each for each in COMMANDS if each[0] != ("serve",)]
)
def test_no_command_and_no_wrong_setting_reveals_a_secret(
    run: Run,
    environment: dict[str, str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    more: dict[str, str],
) -> None:
    done = run(*arguments, **environment | more)
    check_command(
        tmp_path, done.returncode, done.stdout, done.stderr, wrong=is_wrong(arguments, more)
    )


@pytest.mark.skipif(sys.platform == "win32", reason="its temporary files are elsewhere")
@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        pytest.param(*each, marks=() if each[0] == ("serve",) else pytest.mark.slow)
        for each in COMMANDS
    ],
)
async def test_no_process_of_a_command_reveals_a_secret(
    environment: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], more: dict[str, str]
) -> None:
    async with started(*arguments, environment=environment | more) as process:
        status, out, err = await process.ended()
    check_command(tmp_path, status, out.decode(), err.decode(), wrong=is_wrong(arguments, more))


async def test_the_sandbox_account_shows_its_own_key_only(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = environment_for(sandbox, tmp_path) | {"TELNYX_API_KEY": KEYED}
    async with started(
        "call", "--sandbox", "telnyx_get_balance", environment=environment
    ) as process:
        status, out, err = await process.ended()
    assert status == 0
    check_silent(KEYED, out, err)
    assert sandbox.requests == []
