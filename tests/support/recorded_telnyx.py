"""A Telnyx that answers as the sandbox did before, with one value changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from telnyx_mcp.sandbox import Sandbox
from tests.support.scripted_telnyx import Answer, Asked, Scripted, answer

Place = tuple[str | int, ...]
ENVELOPE = {("data",), ("root",)}
"""Without these there is no answer at all."""


@dataclass
class Recorded(Scripted):
    """Asks the sandbox what it was not asked before, and repeats what that answered."""

    sandbox: Sandbox | None = None
    recorded: dict[str, Any] = field(default_factory=dict)
    """Bodies of what was answered with 200, by target."""
    changed: tuple[str, Place, Any] | None = None
    """The path whose answers are changed, where in them, and what stands there."""

    async def next_answer(self, asked: Asked) -> Answer:
        self.requests.append(asked)
        if asked.target not in self.recorded:
            status, body = await self._ask(asked)
            if status != 200:
                return answer(status, body)
            self.recorded[asked.target] = body
        body = self.recorded[asked.target]
        if self.changed and urlsplit(asked.target).path == self.changed[0]:
            body = replaced(body, self.changed[1], self.changed[2])
        return answer(200, body)

    async def _ask(self, asked: Asked) -> tuple[int, Any]:
        assert self.sandbox
        async with httpx2.AsyncClient(verify=False) as client:
            response = await client.get(
                self.sandbox.base_url.removesuffix("/v2") + asked.target,
                headers={"authorization": f"Bearer {self.sandbox.key}"},
            )
        return response.status_code, response.json()

    def places(self) -> list[tuple[str, Place]]:
        """Every field of the answers, by path: in lists, those of the first entries."""
        found = {
            (urlsplit(target).path, place): None
            for target, body in self.recorded.items()
            for place in _places(body)
        }
        return list(found)


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    if place and place not in ENVELOPE:
        yield place
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _places(each, (*place, name))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*place, 0))


def replaced(body: Any, place: Place, by: Any) -> Any:
    """The body with another value there; as it was, where it has no such place."""
    changed = json.loads(json.dumps(body))
    holder: Any = changed
    try:
        for part in place[:-1]:
            holder = holder[part]
        holder[place[-1]]
    except (LookupError, TypeError):
        return body
    if isinstance(holder, str):
        return body
    holder[place[-1]] = by
    return changed
