"""Whatever comes down the pipe, the server lives, answers what comes next, and ends with its stdin.

Bounds of memory. Parsing is the SDK's, which takes a line as it is: a line of text costs a few
copies of itself, a line of small numbers an object for each, and both are given back. What is kept
for good is what the allocator doesn't return, whatever the line's size. An answer that nobody reads
is held until somebody does.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.tools import TOOLS
from tests.support.process_memory import MEBIBYTE, held, peak
from tests.support.server_process import ServerProcess, check_end, environment_for, started

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what a process holds is told by /proc"
)

KEPT = 64 * MEBIBYTE
"""At most this much more is held after the storm than before it; 35 were measured."""
PER_BYTE_OF_TEXT = 6
"""A line as bytes, as text, parsed, and the buffers between; 4 were measured."""
PER_BYTE_OF_NUMBERS = 50
"""A digit and a comma become an entry of a list, twice; 36 were measured."""
PER_BYTE_OF_ANSWER = 8
"""A finished answer that waits for its reader: as text, as bytes, and the buffers between; 5 were
measured."""

CALL = {"name": "telnyx_get_balance", "arguments": {}}
BALANCE = {"jsonrpc": "2.0", "id": "the last", "method": "tools/call", "params": CALL}


async def settled(server: ServerProcess) -> None:
    """Returns once it holds neither more nor less than a moment ago."""
    last = 0
    while (now := held(server)) != last:
        last = now
        await asyncio.sleep(0.2)


@asynccontextmanager
async def serving(sandbox: Sandbox, folder: Path) -> AsyncIterator[ServerProcess]:
    """A server that has begun; afterwards it must hold little more, and end as it should."""
    async with started(environment=environment_for(sandbox, folder)) as server:
        await server.initialize()
        await server.ask("tools/list")
        before = held(server)
        yield server
        assert held(server) < before + KEPT
        check_end(*await server.ended())


async def stormed(server: ServerProcess, *lines: bytes) -> list[dict[str, Any]]:
    """Sends lines and then asks for the balance; returns all that came before its answer.

    Each line that comes must be a JSON-RPC answer.
    """
    sending = asyncio.create_task(server.send(b"\n".join([*lines, json.dumps(BALANCE).encode()])))
    came: list[dict[str, Any]] = []
    while (message := await server.receive()).get("id") != BALANCE["id"]:
        assert ("result" in message) != ("error" in message)
        came.append(message)
    await sending
    assert message["result"]["structuredContent"]["currency"] == "USD"
    return came


def request(number: object, method: object, **more: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, **more}).encode()


def notification(method: str, params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


def balance_with(argument: bytes) -> bytes:
    """A call of a tool that takes no such argument."""
    return (
        b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":'
        b'{"name":"telnyx_get_balance","arguments":{"a":' + argument + b"}}}"
    )


GARBAGE = random.Random(5)
IDS: tuple[object, ...] = (0, 1, 99, "x", None)
ODD_IDS: tuple[object, ...] = (None, 1.5, True, [], {}, "", "\x00", -1, 10**30)
ANSWERS: tuple[dict[str, Any], ...] = (
    {"result": {}},
    {"result": 5},
    {"error": {"code": 1, "message": "no"}},
    {},
)
LINES: dict[str, list[bytes]] = {
    "random bytes": [GARBAGE.randbytes(300_000)],
    "random lines": GARBAGE.randbytes(200_000).replace(b"e", b"\n").split(b"\n"),
    "no UTF-8": [
        b"\xff\xfe\x00",
        b"\xed\xa0\x80",
        b'{"jsonrpc":"2.0","method":"\xc3\x28"}',
        b"\xf0",
    ],
    "other line ends": [
        b"\r",
        b"\x0b\x0c",
        b"\x1c\x1d\x85",
        "\u2028\u2029".encode(),
        b"\x00" * 1000,
    ],
    "broken JSON": [
        b"{",
        b"}",
        b'{"jsonrpc":"2.0",',
        b'{"jsonrpc":"2.0"}',
        b"null",
        b"1e999",
        b'"x"',
    ],
    "100,000 brackets": [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000],
    "batches": [b"[]", b"[1]", b"[" + request(1, "ping") + b"," + request(2, "ping") + b"]"],
    "other versions": [
        json.dumps({"jsonrpc": version, "id": 1, "method": "ping"}).encode()
        for version in ("1.0", 2.0, "", None, ["2.0"])
    ],
    "odd ids": [request(number, "ping") for number in ODD_IDS],
    "answers to nothing": [
        json.dumps({"jsonrpc": "2.0", "id": number, **answer}).encode()
        for number in IDS
        for answer in ANSWERS
    ],
    "duplicate members": [b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping","method":"tools/list"}'],
    "numbers that are none": [
        balance_with(b"NaN"),
        balance_with(b"-Infinity"),
        balance_with(b"1e999"),
    ],
    "surrogates": [balance_with(b'"\\ud800"'), balance_with(b'"\\udfff\\ud800"')],
    "deep arguments": [
        balance_with(b"[" * depth + b"]" * depth) for depth in (50, 150, 200, 100_000)
    ],
    "cancellations": [
        notification("notifications/cancelled", {"requestId": number, "reason": "x" * 1000})
        for number in (0, -1, 99, "x", None, 1.5)
    ],
    "cancellations of what has no id": [
        notification("notifications/cancelled", params)
        for params in ({"requestId": [1]}, {"requestId": {"a": 1}}, {}, {"reason": 5})
    ],
    "unknown notifications": [
        notification(method, params)
        for method in ("notifications/no/such", "notifications/progress", "", "tools/call")
        for params in ({}, {"progressToken": [], "progress": "x"}, [1], "x", None)
    ],
}


async def test_lines_that_are_not_messages_are_survived(sandbox: Sandbox, tmp_path: Path) -> None:
    survived = []
    async with serving(sandbox, tmp_path) as server:
        for kind, lines in LINES.items():
            await stormed(server, *lines)
            survived.append(kind)
    assert survived == list(LINES)


async def test_each_of_very_many_lines_that_are_almost_messages_is_survived(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Messages of every kind with a few bytes changed, taken out or put in."""
    chance = random.Random(11)
    good = [
        request(1, "tools/call", params=CALL),
        request(2, "tools/list", params={"_meta": {"progressToken": 1}}),
        request(3, "resources/read", params={"uri": "telnyx://balance"}),
        request(4, "prompts/get", params={"name": "x", "arguments": {"month": "2026-05"}}),
        json.dumps({"jsonrpc": "2.0", "id": 5, "result": {"action": "accept"}}).encode(),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode(),
    ]

    def spoilt(line: bytes) -> bytes:
        for _ in range(chance.randint(1, 4)):
            at, length = chance.randrange(len(line)), chance.choice((0, 1, 1, 5))
            put = chance.choice((b"", b"0", b'"', b"{", b"]", b",", b":", b"\\", b"null", b"\xff"))
            line = line[:at] + put + line[at + length :] or b"{"
        return line.replace(b"\n", b"")

    lines = [spoilt(chance.choice(good)) for _ in range(2_000)]
    async with serving(sandbox, tmp_path) as server:
        await stormed(server, *lines)


METHODS = (
    *("initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read"),
    *("resources/templates/list", "resources/subscribe", "prompts/list", "prompts/get"),
    *("completion/complete", "logging/setLevel", "server/discover", "sampling/createMessage"),
    *("elicitation/create", "notifications/cancelled", "no/such", "", "\x00", "x" * 10_000),
)
PARAMS: tuple[object, ...] = (
    *({}, {"name": 5}, {"name": None, "arguments": {}}, {"name": ["a"]}, {"name": "x" * 10_000}),
    {"name": "telnyx_get_balance", "arguments": "{}"},
    {"name": "telnyx_get_balance", "arguments": [1]},
    {"name": "telnyx_get_balance", "arguments": {}, "_meta": {"progressToken": {"a": 1}}},
    *({"_meta": 5}, {"_meta": {"progressToken": True}}, {"_meta": {"traceparent": "x" * 9000}}),
    {"_meta": {"io.modelcontextprotocol/protocolVersion": 7}},
    {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}},
    *({"uri": 5}, {"uri": "::::"}, {"uri": "telnyx://\u202e/../.."}, {"uri": "file:///etc/passwd"}),
    *({"cursor": {}}, {"cursor": "x" * 1000}, {"level": "loud"}, {"requestId": None}),
    {"ref": {"type": "ref/prompt", "name": 5}, "argument": 5},
    {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "x" * 1000, "value": "\x00"}},
    {"protocolVersion": 5, "capabilities": [], "clientInfo": "x"},
    {"message": "x", "requestedSchema": {}, "mode": "url"},
)


async def test_every_method_answers_params_of_any_kind(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each with a result or an error without the words of a program."""
    asked = [
        request(f"{number}-{each}", method, params=params)
        for number, method in enumerate(METHODS)
        for each, params in enumerate(PARAMS)
    ]
    async with serving(sandbox, tmp_path) as server:
        came = await stormed(server, *asked)
    assert len(came) == len({each["id"] for each in came}) == len(asked)
    for each in came:
        if "error" in each:
            assert "Traceback" not in each["error"]["message"]
            assert len(each["error"]["message"]) < 1500


async def test_params_that_are_not_an_object_are_survived(sandbox: Sandbox, tmp_path: Path) -> None:
    odd: Sequence[object] = ([], [1], "x", 5, True, 1.5)
    asked = [request(1, method, params=each) for method in METHODS for each in odd]
    async with serving(sandbox, tmp_path) as server:
        await stormed(server, *asked)


@pytest.mark.parametrize(
    ("piece", "times", "most"),
    [
        (b"x", 20 * MEBIBYTE, PER_BYTE_OF_TEXT),
        (b"\xff", 10 * MEBIBYTE, PER_BYTE_OF_TEXT * 3),  # each becomes one of three bytes, in UCS-2
        (b" ", 20 * MEBIBYTE, PER_BYTE_OF_TEXT),
        (b"[", 10 * MEBIBYTE, PER_BYTE_OF_TEXT),
    ],
)
async def test_a_line_of_tens_of_megabytes_is_survived_and_forgotten(
    sandbox: Sandbox, tmp_path: Path, piece: bytes, times: int, most: int
) -> None:
    async with serving(sandbox, tmp_path) as server:
        before = held(server)
        assert await stormed(server, piece * times) == []
        assert peak(server) < before + times * most


@pytest.mark.parametrize(
    ("argument", "most"),
    [
        (b'"' + b"x" * 20 * MEBIBYTE + b'"', PER_BYTE_OF_TEXT),
        (b"[" + b"1," * MEBIBYTE + b"1]", PER_BYTE_OF_NUMBERS),
    ],
    ids=["text", "numbers"],
)
async def test_a_call_of_megabytes_is_refused_in_few_words_and_forgotten(
    sandbox: Sandbox, tmp_path: Path, argument: bytes, most: int
) -> None:
    async with serving(sandbox, tmp_path) as server:
        before = held(server)
        (refusal,) = await stormed(server, balance_with(argument))
        assert peak(server) < before + len(argument) * most + KEPT
    assert refusal["result"]["isError"]
    assert len(refusal["result"]["content"][0]["text"]) < 1500


async def test_thousands_of_requests_at_once_are_all_answered(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    asked = [request(number, "ping") for number in range(1_000, 3_000)]
    asked += [request(number, "tools/call", params=CALL) for number in range(3_000, 3_500)]
    async with serving(sandbox, tmp_path) as server:
        came = await stormed(server, *asked)
        while len(came) < len(asked):
            came.append(await server.receive())
    assert sorted(each["id"] for each in came) == list(range(1_000, 3_500))
    assert [each for each in came if "error" in each or each["result"].get("isError")] == []


async def test_thousands_of_notifications_and_cancellations_are_survived(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
    lines = [
        json.dumps(cancelled | {"params": {"requestId": number}}).encode()
        for number in range(3_000)
    ]
    async with serving(sandbox, tmp_path) as server:
        assert await stormed(server, *lines) == []


async def test_the_same_id_for_many_requests_at_once_is_survived(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    call = request(5, "tools/call", params=CALL)
    cancel = json.dumps(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    ).encode()
    async with serving(sandbox, tmp_path) as server:
        await stormed(server, *[call, call, cancel] * 100)


async def test_unread_answers_are_kept_until_they_are_read(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A host that hangs for a while: what is held for it is in proportion to what it asked."""
    asked = 120
    async with serving(sandbox, tmp_path) as server:
        before = held(server)
        assert server.process.stdout
        pipe: Any = server.process.stdout._transport  # type: ignore[attr-defined]
        pipe.pause_reading()
        await server.send(b"\n".join(request(number, "tools/list") for number in range(asked)))
        await settled(server)
        pipe.resume_reading()
        came = [await server.receive() for _ in range(asked)]
        answers = sum(len(json.dumps(each)) for each in came)
        assert peak(server) < before + answers * PER_BYTE_OF_ANSWER + KEPT
    assert {len(each["result"]["tools"]) for each in came} == {len(TOOLS)}


@pytest.mark.parametrize(
    "half",
    [b"{", b'{"jsonrpc":"2.0","id":1,"method":"tools/ca', b"\xe2\x82", b"x" * 5_000_000, b"\n" * 9],
    ids=["bracket", "request", "character", "megabytes", "nothing"],
)
async def test_half_a_message_and_the_end_of_stdin_end_it(
    sandbox: Sandbox, tmp_path: Path, half: bytes
) -> None:
    async with started(environment=environment_for(sandbox, tmp_path)) as server:
        await server.initialize()
        assert server.process.stdin
        server.process.stdin.write(half)
        check_end(*await server.ended())


async def test_the_end_of_stdin_amid_a_flood_ends_it_and_every_line_is_whole(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with started(environment=environment_for(sandbox, tmp_path)) as server:
        await server.initialize()
        assert server.process.stdin
        calls = [request(number, "tools/call", params=CALL) for number in range(300)]
        server.process.stdin.write(b"\n".join(calls))
        check_end(*await server.ended())


async def test_a_storm_before_the_first_handshake_is_survived(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with started(environment=environment_for(sandbox, tmp_path)) as server:
        for kind in ("broken JSON", "batches", "odd ids", "cancellations", "answers to nothing"):
            for line in LINES[kind]:
                await server.send(line)
        await server.send(request("early", "tools/call", params=CALL))
        await server.initialize()
        assert await server.ask("tools/call", CALL)
        check_end(*await server.ended())


NO_APPROVALS: tuple[dict[str, Any], ...] = (
    {"result": {}},
    {"result": {"action": "accept", "content": {"amount": 120}}},
    {"result": {"action": "accept", "content": {"amount": ["120.00"]}}},
    {"result": {"action": "accept", "content": "120.00"}},
    {"result": {"action": ["accept"], "content": {"amount": "120.00"}}},
    {"result": {"action": "ACCEPT", "content": {"amount": "120.00"}}},
    {"result": "120.00"},
    {"result": None},
    {"error": {"code": -32000, "message": "x" * 100_000}},
    {"error": "no"},
    {"result": {"action": "decline"}, "error": {"code": 1, "message": "both"}},
)


async def test_an_answer_of_any_kind_to_the_question_pays_nothing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with serving(sandbox, tmp_path) as server:
        for number, answer in enumerate(NO_APPROVALS):
            if number:  # or the question before this one would still be open, or just declined
                with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as ledger, ledger:
                    ledger.execute("DELETE FROM telnyx_mcp_changes")
            arguments = {"amount": "120.00", "reference": f"number {number}"}
            pay = {"name": "telnyx_create_stored_payment_transaction", "arguments": arguments}
            await server.send(request(f"pay {number}", "tools/call", params=pay))
            while (question := await server.receive()).get("method") != "elicitation/create":
                pass  # the answer to a payment before this one
            await server.send({"jsonrpc": "2.0", "id": question["id"], **answer})
            assert await server.ask("tools/call", CALL)
    assert sandbox.payments == []
