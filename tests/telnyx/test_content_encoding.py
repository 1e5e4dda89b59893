"""How the body of an answer is decoded: one layer, and never more than 16 MB of it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.decoding import LARGEST_REPLY
from telnyx_mcp.telnyx.errors import Failure, Fate
from telnyx_mcp.telnyx.transport import Transport
from tests.support.scripted_telnyx import Answer, Scripted, answer, failure_of, raw

GOOD = json.dumps({"data": {"balance": "300.00"}}).encode()
Encode = Callable[[bytes], bytes]


def raw_deflate(content: bytes) -> bytes:
    """DEFLATE without the zlib header, as some servers send it."""
    compress = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compress.compress(content) + compress.flush()


def in_two_members(content: bytes) -> bytes:
    return gzip.compress(content[:5]) + gzip.compress(content[5:])


def encoded(content: bytes, encoding: str) -> Answer:
    return answer(200, content, {"content-encoding": encoding})


def chunked(content: bytes, encoding: str) -> Answer:
    """The content in chunks of one byte."""
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in content)
    return raw(head.encode() + body + b"0\r\n\r\n")


def bomb(size: int, wbits: int) -> bytes:
    """JSON of this many bytes, mostly white space, compressed about a thousand times."""
    compress = zlib.compressobj(9, zlib.DEFLATED, wbits)
    step = b" " * (1024 * 1024)
    pieces = [compress.compress(step) for _ in range(size // len(step))]
    return b"".join([*pieces, compress.compress(GOOD), compress.flush()])


# --- what is read --------------------------------------------------------------------------------


async def test_a_request_asks_for_the_encodings_that_are_decoded(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(answer(200, GOOD))
    await transport.request(op.GET_BALANCE)
    assert scripted.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("send", [encoded, chunked])
@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip, identity", gzip.compress),
        ("gzip", in_two_members),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
    ],
)
async def test_an_answer_with_one_layer_of_encoding_is_read(
    scripted: Scripted,
    transport: Transport,
    send: Callable[[bytes, str], Answer],
    encoding: str,
    encode: Encode,
) -> None:
    scripted.will(send(encode(GOOD), encoding))
    reply = await transport.request(op.GET_BALANCE)
    assert reply.body == json.loads(GOOD)


async def test_an_answer_just_below_the_limit_is_read(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(encoded(gzip.compress(GOOD.rjust(LARGEST_REPLY)), "gzip"))
    assert (await transport.request(op.GET_BALANCE)).body == json.loads(GOOD)


async def test_an_empty_answer_that_names_an_encoding_is_called_empty(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(encoded(b"", "gzip"))
    error = await failure_of(transport, op.GET_BALANCE)
    assert error.failure is Failure.NOT_JSON
    assert "empty" in str(error)


async def test_the_error_body_of_an_encoded_refusal_is_read(
    scripted: Scripted, transport: Transport
) -> None:
    body = json.dumps({"errors": [{"code": "10027", "title": "Invalid amount"}]}).encode()
    scripted.will(answer(422, gzip.compress(body), {"content-encoding": "gzip"}))
    error = await failure_of(transport, op.GET_BALANCE)
    assert error.failure is Failure.INVALID
    assert "Invalid amount" in str(error)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    [
        "gzip, gzip",
        "gzip,gzip",
        "gzip, deflate",
        "deflate, identity, gzip",
        "gzip, " * 50,
        "gzip\r\nContent-Encoding: gzip",
        "br",
        "zstd",
        "compress",
        "gzip;q=1",
        "nonsense",
        "\x7f\xe9" * 200,
    ],
)
async def test_more_than_one_layer_or_an_unknown_one_is_refused_with_its_own_text(
    scripted: Scripted, transport: Transport, encoding: str
) -> None:
    twice = gzip.compress(gzip.compress(GOOD))
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(twice)}\r\n\r\n"
    )
    scripted.will(raw(head.encode("latin-1") + twice))
    error = await failure_of(transport, op.GET_BALANCE)
    assert (error.failure, error.status) == (Failure.ENCODED, 200)
    assert "content-encoding" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 1500
    assert len(scripted.requests) == 1, "a second try would be answered the same way"


@pytest.mark.parametrize(
    ("encoding", "wbits"),
    [("gzip", 16 + zlib.MAX_WBITS), ("deflate", zlib.MAX_WBITS), ("deflate", -zlib.MAX_WBITS)],
)
@pytest.mark.parametrize("status", [200, 422, 500])
async def test_a_small_answer_that_decodes_to_a_huge_one_is_refused_without_holding_it(
    scripted: Scripted, transport: Transport, encoding: str, wbits: int, status: int
) -> None:
    content = bomb(8 * LARGEST_REPLY, wbits)
    scripted.will(answer(status, content, {"content-encoding": encoding}))
    tracemalloc.start()
    try:
        error = await failure_of(transport, op.GET_BALANCE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.failure is Failure.TOO_LARGE
    assert peak < 2 * LARGEST_REPLY


async def test_layers_inside_of_each_other_are_not_decoded_one_after_the_other(
    scripted: Scripted, transport: Transport
) -> None:
    """However many an answer names, no byte of it is decoded."""
    nested = gzip.compress(bomb(8 * LARGEST_REPLY, 16 + zlib.MAX_WBITS))
    scripted.will(encoded(nested, "gzip, gzip"))
    tracemalloc.start()
    try:
        error = await failure_of(transport, op.GET_BALANCE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.failure is Failure.ENCODED
    assert peak < LARGEST_REPLY // 4


async def test_an_endless_answer_that_decodes_to_nothing_is_not_read_to_its_end(
    scripted: Scripted, transport: Transport
) -> None:
    """Empty gzip members hold no byte of content, so their own bytes count too."""
    empty = gzip.compress(b"") * 1000
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"
    scripted.will(raw(head + empty * (LARGEST_REPLY // len(empty) + 1)))
    assert (await failure_of(transport, op.GET_BALANCE)).failure is Failure.TOO_LARGE


PACKED = gzip.compress(GOOD)


@pytest.mark.parametrize(
    "told",
    [
        encoded(PACKED[:-9], "gzip"),
        encoded(PACKED[:10], "gzip"),
        encoded(PACKED[:-4] + b"\0\0\0\0", "gzip"),
        encoded(PACKED + b"more", "gzip"),
        encoded(PACKED, "deflate"),
        encoded(zlib.compress(GOOD), "gzip"),
        encoded(zlib.compress(GOOD)[:-2], "deflate"),
        encoded(raw_deflate(GOOD)[:-2], "deflate"),
        encoded(GOOD, "gzip"),
        encoded(gzip.compress(PACKED), "gzip"),
        answer(200, PACKED, {"content-encoding": "gzip", "content-length": str(len(PACKED) - 3)}),
    ],
    ids=[
        "cut short",
        "only a header",
        "wrong size at the end",
        "something behind it",
        "gzip called deflate",
        "deflate called gzip",
        "deflate cut short",
        "raw deflate cut short",
        "plain text called gzip",
        "two layers called one",
        "a length that is too small",
    ],
)
async def test_an_answer_whose_encoding_is_damaged_is_not_half_read(
    scripted: Scripted, transport: Transport, told: Answer
) -> None:
    scripted.will(told)
    assert (await failure_of(transport, op.GET_BALANCE)).failure is Failure.NOT_JSON


async def test_an_encoded_answer_that_ends_before_its_length_is_a_broken_connection(
    scripted: Scripted, transport: Transport
) -> None:
    length = {"content-encoding": "gzip", "content-length": "9000", "connection": "close"}

    async def send(writer: object) -> None:
        await answer(200, PACKED, length)(writer)  # type: ignore[arg-type]
        writer.close()  # type: ignore[attr-defined]

    scripted.will(send)
    assert (await failure_of(transport, op.GET_BALANCE)).failure is Failure.RESET


@pytest.mark.parametrize(
    "operation", [op.CREATE_STORED_PAYMENT_TRANSACTION, op.UPDATE_AUTO_RECHARGE_PREFERENCES]
)
@pytest.mark.parametrize("status", [200, 201, 400, 422, 500])
@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip, gzip", gzip.compress(PACKED)),
        ("br", GOOD),
        ("gzip", PACKED[:-9]),
        ("gzip", gzip.compress(b" " * (LARGEST_REPLY + 1))),
    ],
    ids=["two layers", "unknown", "damaged", "too large"],
)
async def test_a_change_whose_answer_could_not_be_decoded_is_unknown(
    scripted: Scripted,
    transport: Transport,
    operation: op.Operation,
    status: int,
    encoding: str,
    content: bytes,
) -> None:
    scripted.will(answer(status, content, {"content-encoding": encoding}))
    error = await failure_of(transport, operation, body={"amount": "120.00"})
    assert error.fate is Fate.UNKNOWN
    assert len(scripted.requests) == 1


async def test_a_429_that_cannot_be_decoded_closes_the_pace(
    scripted: Scripted, transport: Transport
) -> None:
    headers = {"content-encoding": "br", "retry-after": "30"}
    scripted.will(answer(429, b"\x8b", headers), answer(200, GOOD))
    await failure_of(transport, op.GET_BALANCE)
    error = await failure_of(transport, op.GET_BALANCE)
    assert error.failure is Failure.PACED
    assert len(scripted.requests) == 1
