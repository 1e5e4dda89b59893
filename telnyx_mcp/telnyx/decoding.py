"""The body of an answer, decoded with a bound.

httpx decodes every layer of encoding that an answer names, and each chunk as a whole: 2.6 kB may
become 3 GB. Here one layer is decoded, in small steps, up to a bound.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from telnyx_mcp.telnyx.errors import Failure, TelnyxError

LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes of a body, as sent and as decoded, unless its operation allows more."""
STEP = 64 * 1024
"""Bytes that are decoded at once."""

ACCEPTED = "gzip, deflate"
"""The `accept-encoding` of a request. Answers in any other encoding are refused."""
_GZIP = 16 + zlib.MAX_WBITS
_WBITS: Mapping[str, int] = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class Body:
    """Collects the body of one answer.

    Raises `TelnyxError`: `ENCODED` for an encoding that is not read, `TOO_LARGE` beyond
    `largest`, `NOT_JSON` for an encoding that is damaged.
    """

    def __init__(self, content_encoding: str, largest: int = LARGEST_REPLY) -> None:
        self._largest = largest
        self._encoding = _layer(content_encoding)
        self._stream: zlib._Decompress | None = None
        self._content = bytearray()
        self._received = 0

    def feed(self, chunk: bytes) -> None:
        """Takes in the next bytes of the body, as they came."""
        self._received += len(chunk)
        pieces = self._decoded(chunk) if self._encoding else (chunk,)
        try:
            for piece in pieces:
                if max(self._received, len(self._content) + len(piece)) > self._largest:
                    megabytes = self._largest // 2**20
                    raise TelnyxError(Failure.TOO_LARGE, f"it has more than {megabytes} MB")
                self._content += piece
        except zlib.error:
            raise self._damaged() from None

    def content(self) -> bytes:
        """The whole body, once all of it was fed."""
        if self._stream and not self._stream.eof:
            raise self._damaged()
        return bytes(self._content)

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        while data:
            # Gzip allows several members, one behind the other.
            if self._stream is None or self._stream.eof:
                self._stream = zlib.decompressobj(self._wbits(data))
            piece = self._stream.decompress(data, STEP)
            yield piece
            while len(piece) == STEP:  # there may be more, though all input was taken
                piece = self._stream.decompress(self._stream.unconsumed_tail, STEP)
                yield piece
            data = self._stream.unused_data

    def _wbits(self, data: bytes) -> int:
        """What zlib calls the format. Some servers send `deflate` without the header of zlib, whose
        first byte ends in 8; no encoder begins a stream without it that way."""
        has_no_header = self._encoding == "deflate" and data[0] & 0x0F != 8
        return -zlib.MAX_WBITS if has_no_header else _WBITS[self._encoding]

    def _damaged(self) -> TelnyxError:
        return TelnyxError(Failure.NOT_JSON, f"its {self._encoding} encoding is damaged")


def _layer(content_encoding: str) -> str:
    """The one encoding that a header names; empty for none."""
    named = (each.strip() for each in content_encoding.lower().split(","))
    layers = [each for each in named if each not in ("", "identity")]
    if not layers:
        return ""
    if len(layers) > 1 or layers[0] not in _WBITS:
        raise TelnyxError(Failure.ENCODED, f"content-encoding: {content_encoding[:80]!a}")
    return layers[0]
