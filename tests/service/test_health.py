"""/livez and /readyz: what they say, and that they cost nothing however often they are asked for."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import httpx2
import pytest
from starlette.responses import PlainTextResponse

from telnyx_mcp.service.health import (
    FRESH_SECONDS,
    Check,
    Health,
    HealthRoutes,
    keys_known,
    store_answers,
)
from telnyx_mcp.storage.store import Store


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def fine() -> str | None:
    return None


async def broken() -> str | None:
    return "it is broken"


async def answer_of(health: Health, path: str, **headers: str) -> httpx2.Response:
    app = HealthRoutes(PlainTextResponse("the application", 404), health)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.7") as http:
        return await http.get(path, headers=headers)


async def test_a_replica_is_ready_while_every_check_is_fine() -> None:
    answer = await answer_of(Health({"store": fine, "issuer": fine}), "/readyz")
    assert answer.status_code == 200
    expected = {"store": "ok", "issuer": "ok", "serving": "ok"}
    assert answer.json() == {"status": "ok", "checks": expected}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_check_that_fails_is_named_and_makes_it_not_ready_but_alive() -> None:
    health = Health({"store": broken, "issuer": fine})
    answer = await answer_of(health, "/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"store": "it is broken", "issuer": "ok", "serving": "ok"}
    assert (await answer_of(health, "/livez")).status_code == 200


async def test_a_replica_that_drains_is_not_ready() -> None:
    health = Health({"store": fine})
    health.draining = True
    assert (await answer_of(health, "/readyz")).status_code == 503
    assert (await answer_of(health, "/livez")).status_code == 200


async def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telnyx_mcp.service.health.CHECK_SECONDS", 0.01)

    async def hangs() -> str | None:
        await anyio.sleep_forever()
        return None

    answer = await answer_of(Health({"store": hangs, "issuer": fine}), "/readyz")
    assert answer.json()["checks"]["store"] == "no answer in time"
    assert answer.json()["checks"]["issuer"] == "ok"


async def test_a_storm_of_probes_runs_each_check_once_a_second() -> None:
    clock, runs = Clock(), 0

    async def counted() -> str | None:
        nonlocal runs
        runs += 1
        await anyio.lowlevel.checkpoint()
        return None

    check: Check = counted
    health = Health({"store": check}, clock)
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(health.found)
    assert runs == 1
    clock.seconds = FRESH_SECONDS
    await health.found()
    assert runs == 2


async def test_everything_else_goes_to_the_application() -> None:
    assert (await answer_of(Health({}), "/mcp")).text == "the application"


async def test_a_store_that_can_not_be_opened_is_a_reason_without_details() -> None:
    check = store_answers(Store("postgresql+psycopg://user:hidden@127.0.0.1:1/none"))
    assert await check() == "the database does not answer"


async def test_keys_that_are_not_known_are_a_reason() -> None:
    class Unknown:
        async def is_ready(self) -> bool:
            return False

    assert await keys_known(Unknown())() == "the keys of the issuer are not known"
