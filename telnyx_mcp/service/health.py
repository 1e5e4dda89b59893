"""Whether this replica is alive, and whether it is ready for requests."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[str | None]]
"""Why something is not ready, in a few words without secrets; None if it is."""

CACHED_SECONDS = 1.0
CHECK_SECONDS = 4.0


class Health:
    """The answers of `/livez` and `/readyz`. A check may be asked for as often as anybody likes: its
    result is kept for a second. Telnyx is none of them, as no replica could do better."""

    def __init__(
        self, checks: Mapping[str, Check], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_draining = False
        self._checks = checks
        self._clock = clock
        self._results: dict[str, str | None] = {}
        self._checked_at: float | None = None
        self._checking = anyio.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("/livez", self._livez, methods=["GET"]),
            Route("/readyz", self._readyz, methods=["GET"]),
        ]

    async def results(self) -> Mapping[str, str | None]:
        """The result of each check, at most a second old."""
        async with self._checking:
            now = self._clock()
            if self._checked_at is None or now - self._checked_at >= CACHED_SECONDS:
                self._results = {name: await _checked(each) for name, each in self._checks.items()}
                self._checked_at = self._clock()
        return self._results

    async def _livez(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, _request: Request) -> Response:
        results = {} if self.is_draining else await self.results()
        is_ready = not self.is_draining and not any(results.values())
        content = {
            "ready": is_ready,
            "draining": self.is_draining,
            "checks": {name: why or "ok" for name, why in results.items()},
        }
        return JSONResponse(content, 200 if is_ready else 503, {"cache-control": "no-store"})


async def _checked(check: Check) -> str | None:
    with anyio.move_on_after(CHECK_SECONDS):
        return await check()
    return f"no answer within {CHECK_SECONDS:g} s"
