"""Pages, filters, sorting."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox, running_sandbox


def walk(client: httpx.Client, path: str, size: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    number = 1
    while True:
        paging = {"page[number]": number, "page[size]": size}
        answer = client.get(path, params=httpx.URL(path).params.merge(paging)).json()
        assert answer["meta"]["page_number"] == number
        assert answer["meta"]["page_size"] == size
        items += answer["data"]
        if number >= answer["meta"]["total_pages"]:
            assert len(items) == answer["meta"]["total_results"]
            return items
        number += 1


@pytest.mark.parametrize(
    ("path", "size", "identity"),
    [
        ("/audit_events", 37, "id"),
        ("/invoices", 7, "invoice_id"),
        ("/webhook_deliveries?filter[status][eq]=failed", 50, "id"),
        ("/detail_records?filter[record_type]=messaging&filter[date_range]=yesterday", 50, "uuid"),
        ("/detail_records?filter[record_type]=fax&filter[date_range]=last_month", 17, "id"),
    ],
)
def test_a_walk_sees_every_item_once(
    client: httpx.Client, path: str, size: int, identity: str
) -> None:
    """No item is missed, none comes twice."""
    items = walk(client, path, size)
    assert items
    assert len({item[identity] for item in items}) == len(items)


def test_pages_have_their_documented_sizes(client: httpx.Client) -> None:
    """20 unless asked otherwise, and as many as the maximum."""
    for path, largest in (
        ("/detail_records?filter[record_type]=messaging", 50),
        ("/webhook_deliveries", 250),
        ("/audit_events", 250),
    ):
        assert len(client.get(path).json()["data"]) == 20
        params = httpx.URL(path).params.set("page[size]", largest)
        assert len(client.get(path, params=params).json()["data"]) in {largest, 208}


def test_a_page_past_the_end_is_empty(client: httpx.Client) -> None:
    """Not an error."""
    answer = client.get("/invoices?page[number]=9").json()
    assert answer["data"] == []
    assert answer["meta"]["total_results"] == 18


def test_audit_events_sort_and_filter_by_time(client: httpx.Client) -> None:
    """Newest first unless asked otherwise; both bounds exclusive."""
    newest = walk(client, "/audit_events", 250)
    oldest = walk(client, "/audit_events?sort=asc", 250)
    assert newest == oldest[::-1]
    after, before = newest[20]["created_at"], newest[10]["created_at"]
    query = f"filter[created_after]={after}&filter[created_before]={before}"
    assert walk(client, f"/audit_events?{query}", 250) == newest[11:20]


def test_invoices_sort_by_period(client: httpx.Client) -> None:
    """Both ways."""
    first = client.get("/invoices?sort=period_start").json()["data"]
    assert first == client.get("/invoices?sort=-period_start").json()["data"][::-1]
    assert first[0]["period_start"] == "2024-12-01"


def test_an_invoice_has_a_download_url_only_when_asked_for(client: httpx.Client) -> None:
    """`action=link`; the id in any case."""
    listed = client.get("/invoices").json()["data"][0]
    path = f"/invoices/{listed['invoice_id'].upper()}"
    assert client.get(path).json()["data"] == listed
    assert client.get(f"{path}?action=json").json()["data"] == listed
    linked = client.get(f"{path}?action=link").json()["data"]
    assert linked.pop("download_url").startswith("https://")
    assert linked == listed


def test_deliveries_filter(client: httpx.Client) -> None:
    """By status, event types, text and time."""
    path = "/webhook_deliveries"
    everything = walk(client, path, 250)
    assert everything == sorted(everything, key=lambda each: each["started_at"], reverse=True)
    failed = walk(client, f"{path}?filter[status][eq]=failed", 250)
    assert failed == [each for each in everything if each["status"] == "failed"]
    calls = walk(client, f"{path}?filter[event_type]=call.initiated,call.hangup", 250)
    assert {each["webhook"]["event_type"] for each in calls} == {"call.initiated", "call.hangup"}
    ivr = walk(client, f"{path}?filter[attempts][contains]=ivr.northwind", 250)
    assert {each["webhook"]["event_type"].split(".")[0] for each in ivr} == {"call"}
    gate = walk(client, f"{path}?filter[webhook][contains]=Gate code", 250)
    assert {each["webhook"]["payload"]["text"] for each in gate} == {"Gate code is 4471#"}
    span = "filter[started_at][gte]=2026-06-10T00:00:00Z&filter[finished_at][lte]=2026-06-11"
    day = walk(client, f"{path}?{span}", 250)
    assert {each["started_at"][:10] for each in day} == {"2026-06-10"}


def test_deliveries_have_failures_worth_finding(client: httpx.Client) -> None:
    """An endpoint that answered 500 for three days, a wrong host, TLS errors, time-outs."""
    failed = walk(client, "/webhook_deliveries?filter[status][eq]=failed", 250)
    errors = [attempt["errors"][0] for each in failed for attempt in each["attempts"]]
    codes = {error["code"] for error in errors if isinstance(error, dict)}
    assert codes == {"75001", "75003", "75006"}
    assert 75499 in errors
    broken = {
        each["started_at"][:10]
        for each in failed
        for attempt in each["attempts"]
        if attempt["http"].get("response", {}).get("status") == 500
    }
    assert broken == {"2026-06-11", "2026-06-12", "2026-06-13"}


def test_deliveries_hold_secrets_to_be_masked(client: httpx.Client) -> None:
    """Authorization, signatures, a password in a URL; headers in both documented shapes."""
    deliveries = walk(client, "/webhook_deliveries", 250)
    requests = [a["http"]["request"] for each in deliveries for a in each["attempts"]]
    assert any("@fax." in request["url"] for request in requests)
    headers = [header for request in requests for header in request["headers"]]
    assert any(header[0] == "Authorization" for header in headers if isinstance(header, list))
    assert any(header.startswith("Authorization:") for header in headers if isinstance(header, str))


def test_attempts_are_ordered_most_recent_first(client: httpx.Client) -> None:
    """And the delivery's own times and status are theirs."""
    for each in walk(client, "/webhook_deliveries", 250):
        times = [attempt["started_at"] for attempt in each["attempts"]]
        assert times == sorted(times, reverse=True)
        assert each["status"] == each["attempts"][0]["status"]
        assert each["started_at"] == times[-1]
        assert each["finished_at"] == each["attempts"][0]["finished_at"]


def test_a_delivery_is_found_by_its_id(client: httpx.Client) -> None:
    """In any case."""
    listed = client.get("/webhook_deliveries").json()["data"][3]
    path = f"/webhook_deliveries/{listed['id'].upper()}"
    assert client.get(path).json()["data"] == listed


@pytest.fixture(scope="module")
def large() -> Any:
    from datetime import date

    with running_sandbox(
        today=date(2026, 6, 17), rate_limit=None, records_per_day={"messaging": 10_000}
    ) as sandbox:
        yield sandbox


def test_two_hundred_thousand_records_are_paged_without_being_made(large: Sandbox) -> None:
    """The count is exact, and the last page is as near as the first."""
    path = "/detail_records?filter[record_type]=messaging&page[size]=50&sort=created_at"
    span = "filter[created_at][gte]=2026-05-01&filter[created_at][lt]=2026-05-21"
    headers = {"authorization": f"Bearer {large.key}"}
    with httpx.Client(
        verify=False, base_url=large.base_url, headers=headers, trust_env=False
    ) as client:
        first = client.get(f"{path}&{span}").json()
        last = client.get(f"{path}&{span}&page[number]=4000").json()
    assert first["meta"]["total_results"] == 200_000
    assert first["data"][0]["created_at"] < "2026-05-01T00:01"
    assert len(last["data"]) == 50
    assert last["data"][-1]["created_at"] > "2026-05-20T23:59"
