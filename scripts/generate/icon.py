"""`docs/images/icon.png`: the bundle's own icon, three bars of a bill and a check mark.

`python -m scripts.generate.icon` draws it again, with the standard library alone.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ICON = Path(__file__).parents[2] / "docs" / "images" / "icon.png"
SIZE = 512
Distance = Callable[[float, float], float]
"""How far a point is outside of a shape, in pixels; negative inside."""
Color = tuple[int, int, int]
_DARK: Color = (24, 58, 74)
_LIGHT: Color = (236, 242, 240)
_GREEN: Color = (58, 168, 112)


@dataclass(frozen=True, slots=True)
class Shape:
    distance: Distance
    color: Color


def box(x: float, y: float, width: float, height: float, radius: float) -> Distance:
    """A rectangle with round corners; x and y are its upper left corner."""

    def distance(px: float, py: float) -> float:
        dx = abs(px - x - width / 2) - width / 2 + radius
        dy = abs(py - y - height / 2) - height / 2 + radius
        return math.hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius

    return distance


def stroke(points: Sequence[tuple[float, float]], width: float) -> Distance:
    """A line with round ends through these points."""

    def distance(px: float, py: float) -> float:
        nearest = math.inf
        for (ax, ay), (bx, by) in pairwise(points):
            dx, dy = bx - ax, by - ay
            along = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)
            along = min(max(along, 0), 1)
            nearest = min(nearest, math.hypot(px - ax - along * dx, py - ay - along * dy))
        return nearest - width / 2

    return distance


SHAPES = (
    Shape(box(16, 16, 480, 480, 96), _DARK),
    Shape(box(104, 256, 64, 136, 14), _LIGHT),
    Shape(box(200, 196, 64, 196, 14), _LIGHT),
    Shape(box(296, 136, 64, 256, 14), _LIGHT),
    Shape(stroke([(376, 376), (376, 376.1)], 168), _DARK),
    Shape(stroke([(376, 376), (376, 376.1)], 140), _GREEN),
    Shape(stroke([(344, 378), (368, 402), (410, 352)], 20), _LIGHT),
)


def rows() -> bytes:
    """The pixels, row by row, as a PNG holds them before it compresses them."""
    return b"".join(
        b"\0" + b"".join(bytes(_pixel(x + 0.5, y + 0.5)) for x in range(SIZE)) for y in range(SIZE)
    )


def png() -> bytes:
    """The picture as a PNG file."""
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _pixel(x: float, y: float) -> tuple[int, int, int, int]:
    red = green = blue = alpha = 0.0
    for shape in SHAPES:
        cover = min(max(0.5 - shape.distance(x, y), 0.0), 1.0)  # the edge is one pixel wide
        if cover:
            red, green, blue = (
                was + (now - was) * cover if alpha else float(now)
                for was, now in zip((red, green, blue), shape.color, strict=True)
            )
            alpha = max(alpha, cover)
    return round(red), round(green), round(blue), round(alpha * 255)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


if __name__ == "__main__":
    ICON.write_bytes(png())
