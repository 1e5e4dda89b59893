"""Is this replica alive, and may it get requests? For the proxy, the orchestrator and the image.

`/livez` says that the process answers. `/readyz` says whether requests can be served here: the store
answers, tokens can be judged, and the replica was not asked to stop. Telnyx is not asked: while it is down
every replica would be taken out, and nobody could read why.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

import anyio
import anyio.to_thread
import sqlalchemy as sa
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from telnyx_mcp import __version__
from telnyx_mcp.storage.store import Store, StoreError

Check = Callable[[], Awaitable[str | None]]
"""What is wrong, in a few words; None if nothing is."""

OK = "ok"
FRESH_SECONDS = 1.0
"""How long a result is used again: however often it is asked for, a check runs once a second."""
CHECK_SECONDS = 2.0
"""How long a check may take. Probes give up after a few seconds."""
DRAINING = "this replica was asked to stop"


class Health:
    """What the checks found. `clock` counts seconds."""

    def __init__(
        self, checks: Mapping[str, Check], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._checking = anyio.Lock()
        self._found: dict[str, str] = {}
        self._at = float("-inf")
        self.draining = False
        """Whether the replica was asked to stop."""

    async def found(self) -> dict[str, str]:
        """The result of each check: `ok`, or what is wrong. At most a second old."""
        async with self._checking:  # those who wait take the result of the one who looks
            if self._clock() - self._at >= FRESH_SECONDS:
                self._found = await self._look()
                self._at = self._clock()
            serving = DRAINING if self.draining else OK
            return {**self._found, "serving": serving}

    async def _look(self) -> dict[str, str]:
        found = dict.fromkeys(self._checks, "no answer in time")

        async def look(name: str, check: Check) -> None:
            with anyio.move_on_after(CHECK_SECONDS):
                found[name] = await check() or OK

        # A probe that gives up must not leave the result of the one before for the next.
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for name, check in self._checks.items():
                    tasks.start_soon(look, name, check)
        return found


class HealthRoutes:
    """Answers /livez and /readyz before anything else looks at the request: a probe has no token, and no
    name of ours in `Host`."""

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answers = {"/livez": self._alive, "/readyz": self._ready}
        if scope["type"] != "http" or (answer := answers.get(scope["path"])) is None:
            await self._app(scope, receive, send)
            return
        response = await answer()
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)

    async def _alive(self) -> JSONResponse:
        return JSONResponse({"status": OK, "version": __version__})

    async def _ready(self) -> JSONResponse:
        found = await self._health.found()
        ready = all(each == OK for each in found.values())
        body = {"status": OK if ready else "not ready", "checks": found}
        return JSONResponse(body, 200 if ready else 503)


class _HasKeys(Protocol):
    async def is_ready(self) -> bool: ...


def store_answers(store: Store) -> Check:
    """Whether the database answers."""
    # A thread that hangs on a dead connection must not take another one with every probe.
    one = anyio.CapacityLimiter(1)

    def ask() -> str | None:
        try:
            with store.read() as connection:
                connection.execute(sa.select(1))
        except StoreError:
            return "the database does not answer"
        return None

    return partial(anyio.to_thread.run_sync, ask, abandon_on_cancel=True, limiter=one)


def keys_known(issuer: _HasKeys) -> Check:
    """Whether access tokens can be judged: with keys that were read before, if the issuer is down now."""

    async def check() -> str | None:
        return None if await issuer.is_ready() else "the keys of the issuer are not known"

    return check
