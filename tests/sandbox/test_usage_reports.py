"""Usage reports, with each trap that the real ones have."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.sandbox.usage.answers import double

MAY = {"start_date": "2026-05-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"}
MESSAGES = {"product": "messaging", "dimensions": "currency", "metrics": "cost", **MAY}


def report(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """The rows, in the largest page, with figures as they were written."""
    answer = client.get("/usage_reports", params={"page[size]": 5000, **MESSAGES, **params})
    assert answer.status_code == 200, answer.text
    body = json.loads(answer.text, parse_float=Decimal)
    rows: list[dict[str, Any]] = body["data"]
    assert body["meta"]["total_results"] == len(rows)
    return rows


def refused(client: httpx.Client, params: Any) -> list[tuple[str, str, str]]:
    """Code, title and detail of every error."""
    answer = client.get("/usage_reports", params=params)
    assert answer.status_code == 400, answer.text
    return [(each["code"], each["title"], each["detail"]) for each in answer.json()["errors"]]


def options(client: httpx.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/usage_reports/options").json()
    return {each["product"]: each for each in answer["data"]}


def test_options_name_25_products_or_the_one_that_is_asked_for(client: httpx.Client) -> None:
    every = options(client)
    assert len(every) == 25
    one = client.get("/usage_reports/options", params={"product": "wireless"}).json()["data"]
    assert one == [every["wireless"]]
    answer = client.get("/usage_reports/options", params={"product": "telepathy"})
    assert answer.status_code == 400
    assert all(name in answer.json()["errors"][0]["detail"] for name in every)


def test_record_types_are_null_for_products_without_sub_products(client: httpx.Client) -> None:
    every = options(client)
    assert every["messaging"]["record_types"] is None
    named = [each["record_type"] for each in every["inference"]["record_types"]]
    assert named == ["inference", "embedding", "inference-speech-to-text"]


def test_not_every_product_has_what_the_others_have(client: httpx.Client) -> None:
    every = options(client)
    lacking = {
        name: {product for product, each in every.items() if name not in each["product_dimensions"]}
        for name in ("currency", "date", "date_time")
    }
    assert lacking["currency"] == {"forking", "wireless"}
    assert lacking["date"] == {"cloud-storage", "inference", "wireless"}
    assert "messaging" in lacking["date_time"]
    without_cost = {name for name, each in every.items() if "cost" not in each["product_metrics"]}
    assert without_cost == {"wireless"}
    assert "data_cost" in every["wireless"]["product_metrics"]


def test_every_product_answers_what_its_options_promise(client: httpx.Client) -> None:
    unused = set()
    for product, each in options(client).items():
        names, metrics = each["product_dimensions"], each["product_metrics"]
        rows = report(
            client,
            product=product,
            dimensions=",".join(names),
            metrics=",".join(metrics),
            start_date="2026-05-26T00:00:00Z",
        )
        unused |= set() if rows else {product}
        for row in rows:
            assert set(row) - {"connection_name"} == {*names, *metrics, "product"}
            assert row["product"] == product
            assert all(isinstance(row[metric], int | Decimal) for metric in metrics)
            assert all(row[name] is None or isinstance(row[name], str) for name in names)
    assert unused == {"programmable-video"}


@pytest.mark.parametrize("missing", ["product", "dimensions", "metrics"])
def test_product_dimensions_and_metrics_are_required(client: httpx.Client, missing: str) -> None:
    params = {name: value for name, value in MESSAGES.items() if name != missing}
    ((_, title, detail),) = refused(client, params)
    assert title.lower().startswith(missing)
    assert "Available" in detail


def test_several_errors_come_at_once_and_list_what_there_is(client: httpx.Client) -> None:
    dimensions, metrics = refused(client, {**MESSAGES, "dimensions": "user", "metrics": "cost,sms"})
    assert dimensions[1] == "Dimensions invalid values"
    assert "normalized_carrier" in dimensions[2]
    assert metrics[1:] == (
        "Metrics invalid values",
        "Available metrics values for messaging: cost, count, parts, customer_carrier_fee",
    )


def test_lists_have_commas_or_repeat_their_name_but_no_brackets(client: httpx.Client) -> None:
    by_commas = report(client, dimensions="direction,currency")
    repeated = [("dimensions", "direction"), ("dimensions", "currency")]
    others = [pair for pair in MESSAGES.items() if pair[0] not in {"dimensions", "metrics"}]
    answer = client.get("/usage_reports", params=[*others, *repeated, ("metrics", "cost")])
    assert json.loads(answer.text, parse_float=Decimal)["data"] == by_commas
    with_brackets = [*others, ("dimensions[]", "currency"), ("metrics[]", "cost")]
    titles = [title for _, title, _ in refused(client, with_brackets)]
    assert titles == ["Dimensions invalid values", "Metrics invalid values"]


def test_a_page_has_20_rows_unless_asked_and_5000_at_most(client: httpx.Client) -> None:
    params = {**MESSAGES, "dimensions": "date,profile_id"}
    usual = client.get("/usage_reports", params=params).json()
    everything = report(client, dimensions="date,profile_id")
    assert len(usual["data"]) == 20
    assert usual["meta"] == {
        "page_number": 1,
        "page_size": 20,
        "total_pages": -(-len(everything) // 20),
        "total_results": len(everything),
    }
    last = client.get("/usage_reports", params={**params, "page[number]": 5}).json()["data"]
    assert [row["date"] for row in last] == [row["date"] for row in everything[80:]]
    assert client.get("/usage_reports", params={**params, "page[size]": 5001}).status_code == 400


def test_figures_are_sums_of_doubles_with_their_noise(client: httpx.Client) -> None:
    rows = report(client, dimensions="date", metrics="cost,count,parts")
    noisy = [row for row in rows if row["cost"] != round(row["cost"], 6)]
    assert len(noisy) > 10
    text = client.get("/usage_reports", params={**MESSAGES, "metrics": "count,parts"}).text
    assert re.search(r'"count": \d+,', text)
    assert re.search(r'"parts": \d+\.0}', text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        (1.666e-4, "1.666E-4"),
        (1e-4, "1.0E-4"),
        (-2.5e-5, "-2.5E-5"),
        (0.001, "0.001"),
        (883930.0, "883930.0"),
        (9999999.5, "9999999.5"),
        (12345678.9, "1.23456789E7"),
        (1e7, "1.0E7"),
    ],
)
def test_numbers_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert double(value) == text
    assert json.loads(text) == value


def test_small_figures_have_an_exponent(client: httpx.Client) -> None:
    params = {"product": "media-storage", "dimensions": "date,status,action_type", **MAY}
    text = client.get("/usage_reports", params={**params, "metrics": "cost"}).text
    assert "E-4" in text


def test_some_values_are_null_empty_or_unidentified(client: httpx.Client) -> None:
    calls = report(
        client,
        product="sip-trunking",
        dimensions="billing_group_id,hangup_details,sip_response_code,short_duration_call",
    )
    assert {None} < {row["billing_group_id"] for row in calls}
    assert {row["hangup_details"] for row in calls} == {"", "no_answer", "user_busy"}
    assert {row["sip_response_code"] for row in calls} == {"200", "480", "486"}
    assert {row["short_duration_call"] for row in calls} == {"true", "false"}
    carriers = report(client, dimensions="normalized_carrier", metrics="count")
    assert "unidentified" in {row["normalized_carrier"] for row in carriers}


def test_a_connection_comes_with_its_name(client: httpx.Client, sandbox: Sandbox) -> None:
    rows = report(client, product="call-control", dimensions="connection_id")
    names = {each.id: each.name for each in sandbox.account.business.connections}
    assert {row["connection_id"]: row["connection_name"] for row in rows} == names


def test_a_date_is_a_day_or_its_first_moment(client: httpx.Client) -> None:
    messages = report(client, dimensions="date")
    calls = report(client, product="call-control", dimensions="date,date_time")
    assert {row["date"][:8] for row in messages} == {"2026-05-"}
    assert {len(row["date"]) for row in messages} == {10}
    assert all(re.fullmatch(r"2026-05-\d\dT00:00:00Z", row["date"]) for row in calls)
    assert all(re.fullmatch(r"2026-05-\d\dT\d\d:00:00Z", row["date_time"]) for row in calls)
    assert all(row["date"][:10] == row["date_time"][:10] for row in calls)


def test_31_days_are_one_report_and_a_second_more_is_refused(client: httpx.Client) -> None:
    assert report(client)
    for longer in (
        {"end_date": "2026-06-01T00:00:01Z"},
        {"start_date": "2026-05-01T00:00:00+01:00"},
    ):
        ((code, _, detail),) = refused(client, {**MESSAGES, **longer})
        assert (code, "31 days" in detail) == ("10004", True)


def test_the_end_is_exclusive_and_parts_add_up(client: httpx.Client) -> None:
    def count(start: str, end: str) -> int:
        rows = report(client, metrics="count", start_date=start, end_date=end)
        return sum(row["count"] for row in rows)

    whole = count("2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z")
    morning = count("2026-05-05T00:00:00Z", "2026-05-05T12:34:56Z")
    rest = count("2026-05-05T12:34:56Z", "2026-05-06T00:00:00Z")
    assert whole == morning + rest
    assert 0 < morning < whole
    assert whole == count("2026-05-05T02:00:00+02:00", "2026-05-05T19:00:00-05:00")
    assert whole == count("2026-05-05", "2026-05-06")


def test_an_end_in_the_future_is_refused(client: httpx.Client) -> None:
    """A second is enough: the account's clock says noon."""
    june = {**MESSAGES, "start_date": "2026-06-01T00:00:00Z"}
    ((_, _, detail),) = refused(client, {**june, "end_date": "2026-06-17T12:00:01Z"})
    assert "future" in detail
    answer = client.get("/usage_reports", params={**june, "end_date": "2026-06-17T12:00:00Z"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "time",
    [
        {},
        {"start_date": MAY["start_date"]},
        {"end_date": MAY["end_date"]},
        {"start_date": MAY["end_date"], "end_date": MAY["start_date"]},
        {"start_date": MAY["start_date"], "end_date": MAY["start_date"]},
        {"start_date": "May", "end_date": "June"},
        {**MAY, "date_range": "today"},
        {"date_range": "lately"},
    ],
)
def test_time_is_given_in_one_of_two_ways(client: httpx.Client, time: dict[str, str]) -> None:
    params = {name: value for name, value in MESSAGES.items() if name not in MAY}
    assert refused(client, {**params, **time})


def test_a_date_range_has_at_most_30_days(client: httpx.Client) -> None:
    params = {name: value for name, value in MESSAGES.items() if name not in MAY}
    for name in ("last_31_days", "last_5_weeks", "last_2_months"):
        ((code, _, _),) = refused(client, {**params, "date_range": name})
        assert code == "10006"
    wanted = {**params, "dimensions": "date", "date_range": "last_3_days"}
    rows = client.get("/usage_reports", params=wanted).json()["data"]
    assert [row["date"] for row in rows] == [f"2026-06-{day}" for day in (14, 15, 16, 17)]


def test_a_filter_must_be_a_dimension_and_any_of_its_values_passes(client: httpx.Client) -> None:
    everything = report(client, dimensions="status_v2,direction")
    params = {**MESSAGES, "dimensions": "status_v2,direction"}
    two = [("filter[status_v2]", "delivered"), ("filter[status_v2]", "delivery_failed")]
    found = client.get("/usage_reports", params=[*params.items(), *two, ("page[size]", "5000")])
    kept = [row for row in everything if row["status_v2"] in {"delivered", "delivery_failed"}]
    assert json.loads(found.text, parse_float=Decimal)["data"] == kept
    assert len(kept) < len(everything)
    for name in ("filter[tn]", "filter[status_v2][contains]", "filter"):
        ((code, title, _),) = refused(client, {**params, name: "delivered"})
        assert (code, title) == ("10007", "Invalid dimensions_filter value")


def test_booleans_are_filtered_as_text(client: httpx.Client) -> None:
    rows = report(
        client,
        product="sip-trunking",
        dimensions="short_duration_call",
        metrics="connected",
        **{"filter[short_duration_call]": "true"},
    )
    assert [row["short_duration_call"] for row in rows] == ["true"]


def test_rows_are_sorted_by_what_they_have_and_an_unknown_name_does_nothing(
    client: httpx.Client,
) -> None:
    dearest = report(client, dimensions="tn", sort="-cost")
    costs = [row["cost"] for row in dearest]
    assert costs == sorted(costs, reverse=True)
    assert report(client, dimensions="tn", sort="created_at") == report(client, dimensions="tn")


def test_rows_of_managed_accounts_say_whose_they_are(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    owner = sandbox.account.business.owner.id
    assert {row["user_id"] for row in report(client, managed_accounts="true")} == {owner}
    assert "user_id" not in report(client, managed_accounts="false")[0]


def test_csv_has_the_user_first_and_six_decimals(client: httpx.Client, sandbox: Sandbox) -> None:
    params = {**MESSAGES, "product": "forking", "dimensions": "direction", "format": "csv"}
    answer = client.get("/usage_reports", params={**params, "metrics": "cost,billed_sec"})
    assert answer.headers["content-type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == ["user_id", "direction", "product", "cost", "billed_sec"]
    assert {row[0] for row in rows} == {sandbox.account.business.owner.id}
    assert all(re.fullmatch(r"\d+\.\d{6}", figure) for row in rows for figure in row[3:])
    assert refused(client, {**MESSAGES, "format": "xml"})


def test_a_fault_can_name_the_product_that_meets_it(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("get_usage_report", "status", times=None, query={"product": "webrtc"})
    for _ in range(2):
        assert client.get("/usage_reports", params=MESSAGES).status_code == 200
        params = {**MESSAGES, "product": "webrtc"}
        assert client.get("/usage_reports", params=params).status_code == 500


def test_a_fault_for_a_product_can_be_asked_for_over_http(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    fault = {"operation": "get_usage_report", "kind": "status", "query": {"product": "amd"}}
    assert httpx.post(
        f"{sandbox.control_url}/faults", json=fault, verify=False, trust_env=False
    ).is_success
    assert client.get("/usage_reports", params=MESSAGES).status_code == 200
    assert client.get("/usage_reports", params={**MESSAGES, "product": "amd"}).status_code == 500
