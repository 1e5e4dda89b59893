"""Which webhooks fail, why, how many get through, and which still fail."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer

DELIVERIES = "telnyx_list_webhook_deliveries"
GROUPED = {"group_failures": True}


async def asked(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, DELIVERIES, arguments))


def url_of(delivery: dict[str, Any]) -> str:
    """The URL of the latest attempt, with its credentials masked."""
    url = str(delivery["attempts"][0]["http"]["request"]["url"])
    scheme, _, rest = url.partition("://")
    return f"{scheme}://***@{rest.partition('@')[2]}" if "@" in rest else url


def in_sandbox(sandbox: Sandbox, **asked: str) -> dict[str, list[dict[str, Any]]]:
    """All deliveries by URL, read one page after the other."""
    by_url = defaultdict(list)
    for each in raw_api.everything(sandbox, "webhook_deliveries", asked, 250):
        by_url[url_of(each)].append(each)
    return by_url


async def test_each_url_has_its_failures_and_what_got_through(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await asked(server, **GROUPED)
    everything = in_sandbox(sandbox)
    failing = {url for url, sent in everything.items() if any(_failed(each) for each in sent)}
    assert {row["url"] for row in told["items"]} == failing
    for row in told["items"]:
        sent = everything[row["url"]]
        failed = [each["started_at"] for each in sent if _failed(each)]
        delivered = [each["started_at"] for each in sent if not _failed(each)]
        assert (row["sent"], row["delivered"], row["failed"]) == (
            len(sent),
            len(delivered),
            len(failed),
        )
        assert row["delivered_rate"] == f"{1000 * len(delivered) // len(sent) / 10:.1f}%"
        assert row["last_failed"] == max(failed)
        assert row.get("last_delivered") == max(delivered, default=None)
        assert row["still_failing"] is (max(delivered, default="") < max(failed))
        assert sum(each["deliveries"] for each in row["failures"]) == len(failed)
    assert any(row["still_failing"] for row in told["items"])
    assert told["all_urls"]["sent"] == sum(map(len, everything.values()))


async def test_the_url_that_failed_last_comes_first(server: AccountServer) -> None:
    last = [row["last_failed"] for row in (await asked(server, **GROUPED))["items"]]
    assert len(last) > 2
    assert last == sorted(last, reverse=True)


async def test_a_kind_of_failure_has_its_times_its_events_and_an_example(
    server: AccountServer, sandbox: Sandbox
) -> None:
    everything = in_sandbox(sandbox)
    for row in (await asked(server, **GROUPED))["items"]:
        for kind in row["failures"]:
            of_kind = {each["id"]: each for each in everything[row["url"]] if _failed(each)}
            times = [each["started_at"] for each in of_kind.values()]
            assert (kind["first"], kind["last"]) == (min(times), max(times))
            assert kind["example_id"] in of_kind
            assert sum(kind["event_types"].values()) == kind["deliveries"]


async def test_a_range_of_time_narrows_the_failures_and_the_rates(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await asked(server, **GROUPED, started_after="2026-06-09", status="failed")
    everything = in_sandbox(sandbox, **{"filter[started_at][gte]": "2026-06-09T00:00:00Z"})
    for row in told["items"]:
        assert row["failures"][-1]["first"] >= "2026-06-09"
        assert row["sent"] == len(everything[row["url"]])


async def test_a_text_that_only_failed_attempts_hold_does_not_make_the_rate_zero(
    server: AccountServer, sandbox: Sandbox
) -> None:
    (row,) = (await asked(server, **GROUPED, attempts_contains="ivr-primary"))["items"]
    sent = in_sandbox(sandbox)[row["url"]]
    assert row["sent"] == len(sent) > row["failed"] > 0
    assert row["still_failing"] is False


async def test_nothing_is_called_still_failing_if_the_requested_time_is_over(
    server: AccountServer,
) -> None:
    told = await asked(server, **GROUPED, started_before="2026-06-11T00:00:00Z")
    assert told["items"]
    assert all("still_failing" not in row for row in told["items"])


async def test_the_urls_come_in_pages(server: AccountServer) -> None:
    since = {"started_after": "2026-05-29"}
    everything = await asked(server, **GROUPED, **since)
    rows: list[Any] = []
    number: int | None = 1
    while number:
        told = await asked(server, **GROUPED, **since, page=number, page_size=3)
        assert (told["returned"], told["total"]) == (len(told["items"]), everything["total"])
        rows += told["items"]
        number = told.get("next_page")
    assert rows == everything["items"]


async def test_a_page_that_comes_again_counts_once(server: AccountServer, sandbox: Sandbox) -> None:
    since = {"started_after": "2026-06-09"}
    (whole,) = (await asked(server, **GROUPED, **since, webhook_contains="call."))["items"]
    sandbox.fault("list_webhook_deliveries", "stuck_page", times=None)
    (again,) = (await asked(server, **GROUPED, **since, webhook_contains="call."))["items"]
    counted = whole["failures"][0]["deliveries"]
    assert counted == again["failures"][0].get("part_deliveries", counted)


def _failed(delivery: dict[str, Any]) -> bool:
    return bool(delivery["status"] == "failed")


# --- what was not read, and odd answers ----------------------------------------------------------


def delivery(number: int, status: str, started_at: str | None, **more: Any) -> dict[str, Any]:
    error = [] if status == "delivered" else [more.get("error", 75499)]
    request = {"url": more.get("url", "https://a.example/hook")}
    attempt = {"status": status, "errors": error, "http": {"request": request}}
    event = {"event_type": more.get("event", "message.sent")}
    return {
        "id": str(number),
        "status": status,
        "started_at": started_at,
        "webhook": event,
        "attempts": [attempt],
    }


def page(rows: list[dict[str, Any]], pages: int = 1, total: int | None = None) -> Any:
    meta = {"total_pages": pages, "total_results": total or len(rows)}
    return answer(200, {"data": rows, "meta": meta})


def delivered(day: str, count: int = 250, url: str = "https://b.example/hook") -> Any:
    return [
        delivery(
            1000 + each, "delivered", f"{day}T{23 - each // 60:02}:{59 - each % 60:02}:00Z", url=url
        )
        for each in range(count)
    ]


@pytest.mark.parametrize(
    ("failed_at", "expected"),
    [("2026-06-10T23:00:00Z", True), ("2026-06-10T01:00:00Z", None)],
    ids=["the deliveries read reach back to it", "they do not"],
)
async def test_counts_of_deliveries_that_were_not_all_read_are_marked_as_a_part(
    scripted: Scripted, scripted_server: AccountServer, failed_at: str, expected: bool | None
) -> None:
    failed = delivery(1, "failed", failed_at)
    newest = [delivery(2, "delivered", "2026-06-10T23:59:59Z", url="https://b.example/hook")]
    others = [*newest, *delivered("2026-06-10", 249)]
    scripted.will(page([failed]), page(others, 2, 400), answer(500, {}))
    told = await asked(scripted_server, **GROUPED)
    (row,) = told["items"]
    assert row.get("still_failing") is expected
    assert row["failures"][0]["deliveries"] == 1
    assert {"sent", "delivered", "delivered_rate"}.isdisjoint(row)
    assert (told["all_urls"]["part_sent"], told["total"]) == (250, 1)
    assert "INCOMPLETE: looked through 250 of 400" in told["note"]


async def test_a_delivery_after_the_last_failure_is_enough_to_know_that_it_works(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """Also where Telnyx writes one of the times with another zone and other digits."""
    failed = delivery(1, "failed", "2026-06-10T10:00:00Z")
    later = delivery(2, "delivered", "2026-06-10T09:30:00.123-02:00")
    scripted.will(page([failed]), page([later, failed] * 125, 2, 400), answer(500, {}))
    (row,) = (await asked(scripted_server, **GROUPED))["items"]
    assert row["still_failing"] is False
    assert row["last_delivered"] == later["started_at"]


async def test_failures_that_were_not_all_read_are_marked_as_a_part(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    failed = [delivery(each, "failed", "2026-06-10T10:00:00Z") for each in range(250)]
    scripted.will(page(failed, 2, 400), *[answer(500, {})] * 3, page(failed))
    told = await asked(scripted_server, **GROUPED)
    (kind,) = told["items"][0]["failures"]
    assert kind["part_deliveries"] == 250
    assert "deliveries" not in kind
    assert "total" not in told


async def test_the_failures_are_shown_though_the_other_deliveries_cannot_be_read(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(page([delivery(1, "failed", "2026-06-10T10:00:00Z")]), answer(403, {}))
    told = await asked(scripted_server, **GROUPED)
    (row,) = told["items"]
    assert row["failures"][0]["errors"] == "75499"
    assert {"still_failing", "sent", "part_sent"}.isdisjoint(row)
    assert "rates are missing" in told["note"]


async def test_a_failure_without_a_time_is_never_called_still_failing(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    failed = [
        delivery(1, "failed", None),
        delivery(2, "failed", "yesterday", url="https://c.example"),
    ]
    scripted.will(page(failed), page(failed))
    rows = (await asked(scripted_server, **GROUPED))["items"]
    assert len(rows) == 2
    assert all("still_failing" not in row for row in rows)


async def test_an_account_without_failures_needs_one_request(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(page([]))
    told = await asked(scripted_server, **GROUPED)
    assert (told["items"], told["total"]) == ([], 0)
    assert len(scripted.requests) == 1


async def test_many_kinds_of_failures_and_events_are_summed_up(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    failed = [
        delivery(
            each,
            "failed",
            f"2026-06-10T10:00:{each % 60:02}Z",
            error=each % 40,
            event=f"event.{each}",
            url=f"https://{each % 5}.example/{'x' * 100}",
        )
        for each in range(240)
    ]
    scripted.will(page(failed), page(failed))
    result = await call(scripted_server, DELIVERIES, GROUPED | {"page_size": 250})
    assert about_tokens(text_of(result)) <= 8000
    for row in content_of(result)["items"]:
        assert len(row["failures"]) <= 10
        listed = sum(each["deliveries"] for each in row["failures"])
        assert listed + row.get("other_failures", 0) == row["failed"] == 48


# --- the plain list ------------------------------------------------------------------------------


async def test_what_every_row_would_repeat_is_stated_once(server: AccountServer) -> None:
    told = await asked(server, status="failed", attempts_contains="ivr-primary", page_size=5)
    assert told["same_in_all"] == {
        "url": "https://ivr.northwind-parcels.example/telnyx/voice",
        "http_status": 500,
        "errors": "75499",
    }
    assert all({"url", "http_status", "errors"}.isdisjoint(row) for row in told["items"])


async def test_a_single_row_is_whole(server: AccountServer) -> None:
    told = await asked(server, status="failed", page_size=1)
    assert "same_in_all" not in told
    assert told["items"][0]["url"]


async def test_an_error_in_a_row_is_its_code_and_title(server: AccountServer) -> None:
    told = await asked(server, status="failed", attempts_contains="northwind-parcles", page_size=4)
    assert told["same_in_all"]["errors"] == "75001 Could not resolve name"
    assert "Unable to resolve" not in json.dumps(told)
