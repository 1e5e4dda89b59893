"""The operations next to the thirteen tell of the same account, with all that surprises at Telnyx."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.sandbox.account import Account

SIZES = {
    "/organizations/users": 250,
    "/connections": 250,
    "/phone_numbers": 20,
    "/phone_numbers/slim": 20,
    "/messaging_profiles": 20,
    "/billing_groups": 20,
    "/notification_channels": 20,
    "/notification_event_conditions": 20,
    "/notification_events": 20,
    "/notification_profiles": 20,
    "/notification_settings": 20,
}


def data(client: httpx.Client, path: str, **params: str) -> list[dict[str, Any]]:
    answer = client.get(path, params={"page[size]": "250", **params})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def numbers(client: httpx.Client, **filters: str) -> list[dict[str, Any]]:
    """All numbers of the full list that a filter finds."""
    found: list[dict[str, Any]] = []
    while True:
        page = str(len(found) // 250 + 1)
        rows = data(client, "/phone_numbers", **filters, **{"page[number]": page})
        found += rows
        if len(rows) < 250:
            return found


@pytest.mark.parametrize(("path", "size"), SIZES.items())
def test_pages_have_their_own_default_size_and_at_most_250_rows(
    client: httpx.Client, path: str, size: int
) -> None:
    answer = client.get(path).json()
    assert answer["meta"]["page_size"] == size
    assert len(answer["data"]) == min(size, answer["meta"]["total_results"])
    assert client.get(path, params={"page[size]": "251"}).status_code == 400


def test_audit_events_name_users_of_the_organization_or_telnyx(client: httpx.Client) -> None:
    users = {user["id"]: user for user in data(client, "/organizations/users")}
    events = data(client, "/audit_events")
    for event in events:
        assert (event["user_id"] in users) == (event["change_made_by"] != "telnyx")
    owners = [user for user in users.values() if user["record_type"] == "organization_owner"]
    charged = client.get("/charges_summary?start_date=2026-05-01&end_date=2026-06-01").json()
    assert [owner["email"] for owner in owners] == [charged["data"]["user_email"]]


def test_users_are_found_by_part_of_their_address_and_status(client: httpx.Client) -> None:
    path = "/organizations/users"
    (marco,) = data(client, path, **{"filter[email]": "MARCO"})
    assert "groups" not in marco
    (same,) = data(client, path, **{"filter[email]": "silva", "include_groups": "true"})
    assert same["groups"][0]["name"] == "Operations"
    (former,) = data(client, path, **{"filter[user_status]": "disabled"})
    assert former["last_sign_in_at"] is None


def test_users_are_refused_on_demand(client: httpx.Client, sandbox: Sandbox) -> None:
    """As Telnyx refuses a key without the right, while all else is answered."""
    sandbox.fault("list_organization_users", "status", status=403, times=None)
    answer = client.get("/organizations/users")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "10010")
    assert client.get("/connections").status_code == 200


def test_every_number_that_is_charged_is_listed_until_it_is_released(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    held = numbers(client)
    charged = client.get("/charges_breakdown?start_date=2026-06-01&end_date=2026-06-18").json()
    released = numbers(client, **{"filter[status]": "deleted"})
    released += numbers(client, **{"filter[status]": "ported-out"})
    assert released
    everything = {row["phone_number"] for row in [*held, *released]}
    assert {result["tn"] for result in charged["data"]["results"]} <= everything
    assert {row["id"] for row in held} == {
        number.id for number in sandbox.account.numbers.all if number.active_on(sandbox.today)
    }
    assert not {row["id"] for row in held} & {row["id"] for row in released}


def test_what_a_number_refers_to_is_found_in_the_other_lists(client: httpx.Client) -> None:
    held = numbers(client)
    for field, path in (
        ("connection_id", "/connections"),
        ("messaging_profile_id", "/messaging_profiles"),
        ("billing_group_id", "/billing_groups"),
    ):
        ids = {row[field] for row in held} - {None}
        assert ids == {each["id"] for each in data(client, path)}
    profiles = {each["id"]: each["name"] for each in data(client, "/messaging_profiles")}
    assert {row["messaging_profile_name"] for row in held} == {None, *profiles.values()}


def test_what_a_record_refers_to_is_found_in_the_other_lists(client: httpx.Client) -> None:
    known = {
        "profile_id": {each["id"] for each in data(client, "/messaging_profiles")},
        "connection_id": {each["id"] for each in data(client, "/connections")},
        "billing_group_id": {each["id"] for each in data(client, "/billing_groups")},
    }
    met = set()
    for kind in ("messaging", "call-control", "amd", "recording"):
        params = {"filter[record_type]": kind, "page[size]": "50"}
        for record in client.get("/detail_records", params=params).json()["data"]:
            for field in known.keys() & record.keys():
                assert record[field] in known[field]
                met.add(field)
    assert met == set(known)


def test_some_numbers_are_paid_for_and_never_used_and_some_have_no_tag(
    client: httpx.Client,
) -> None:
    idle = [row for row in numbers(client) if not used(client, row["phone_number"])]
    assert 5 <= len(idle) <= 60
    untagged = numbers(client, **{"filter[without_tags]": "true"})
    assert 3 <= len(untagged) < len(idle)
    assert {row["id"] for row in untagged} < {row["id"] for row in idle}
    assert {row["billing_group_id"] for row in untagged} == {None}
    assert len(numbers(client, **{"filter[without_tags]": "yes"})) == len(numbers(client))


_used: set[str] = set()


def used(client: httpx.Client, phone_number: str) -> bool:
    """Whether any message of two weeks came from the number or went to it."""
    if not _used:
        params = {"filter[record_type]": "messaging", "filter[date_range]": "last_7_days"}
        number = 1
        while True:
            paging = {"page[size]": "50", "page[number]": str(number)}
            answer = client.get("/detail_records", params={**params, **paging}).json()
            for record in answer["data"]:
                _used.update((record["cli"], record["cld"]))
            if number >= answer["meta"]["total_pages"]:
                break
            number += 1
    return phone_number in _used


def test_numbers_are_filtered_as_documented(client: httpx.Client) -> None:
    everything = numbers(client)
    one = everything[40]
    digits = one["phone_number"][1:]
    assert numbers(client, **{"filter[phone_number]": digits}) == [one]
    assert one in numbers(client, **{"filter[phone_number]": digits[-4:]})
    assert numbers(client, **{"filter[phone_number]": one["phone_number"]}) == []
    assert client.get("/phone_numbers?filter[phone_number]=12").status_code == 400
    for field in ("connection_id", "billing_group_id", "customer_reference", "country_iso_alpha2"):
        value = next(row[field] for row in everything if row[field])
        found = numbers(client, **{f"filter[{field}]": value})
        assert found == [row for row in everything if row[field] == value]
    in_no_group = numbers(client, **{"filter[billing_group_id]": "null"})
    assert in_no_group == [row for row in everything if row["billing_group_id"] is None]
    assert numbers(client, **{"filter[country_iso_alpha2]": "DE"}) == []
    tagged = numbers(client, **{"filter[tag]": "support"})
    assert tagged == [row for row in everything if row["tags"] == ["support"]]


def test_old_numbers_have_the_former_name_of_their_type(client: httpx.Client) -> None:
    """The filter takes the present name for both."""
    local = numbers(client, **{"filter[number_type][eq]": "local"})
    assert {row["phone_number_type"] for row in local} == {"local", "longcode"}
    old = [row for row in local if row["phone_number_type"] == "longcode"]
    assert all(row["purchased_at"] < "2023-07" for row in old)


def test_numbers_are_sorted_newest_first_unless_asked_otherwise(client: httpx.Client) -> None:
    bought = [row["created_at"] for row in numbers(client)]
    assert bought == sorted(bought, reverse=True)
    by_number = [row["phone_number"] for row in numbers(client, sort="phone_number")]
    assert by_number == sorted(by_number)
    assert client.get("/phone_numbers?sort=-purchased_at").status_code == 400


def test_the_slim_list_has_tags_and_connections_on_request_only(client: httpx.Client) -> None:
    path = "/phone_numbers/slim"
    plain = data(client, path)
    assert not any(
        {"tags", "connection_name", "messaging_profile_id"} & row.keys() for row in plain
    )
    asked = data(client, path, include_tags="true", include_connection="true")
    assert all({"tags", "connection_name"} <= row.keys() for row in asked)
    assert client.get(f"{path}?filter[tag]=support").status_code == 400
    found = data(client, path, include_tags="true", **{"filter[tag]": "support"})
    assert {tuple(row["tags"]) for row in found} == {("support",)}
    assert None not in {value for row in asked for value in map(str, row.values())}
    full = {row["id"]: row for row in numbers(client)}
    for row in asked:
        same = {**full[row["id"]], "record_type": "phone_number_slim"}
        assert row.items() <= same.items()


def test_answers_hold_secrets_to_be_dropped(client: httpx.Client) -> None:
    """The port-out PIN of numbers, the secret of profiles, passwords in addresses of webhooks."""
    for path in ("/phone_numbers", "/phone_numbers/slim"):
        assert any(row.get("external_pin") for row in data(client, path))
    profiles = data(client, "/messaging_profiles")
    assert all(profile["v1_secret"] for profile in profiles)
    assert any("Pa55@" in str(profile["webhook_failover_url"]) for profile in profiles)
    connections = data(client, "/connections")
    assert any("Pa55@" in str(each["webhook_event_failover_url"]) for each in connections)


def test_connections_are_found_by_three_letters_or_more(client: httpx.Client) -> None:
    (trunk,) = data(client, "/connections", **{"filter[connection_name][contains]": "WARE"})
    assert trunk["connection_name"] == "Warehouse SIP trunk"
    short = client.get("/connections?filter[connection_name][contains]=Wa")
    assert short.status_code == 400
    names = [
        each["connection_name"] for each in data(client, "/connections", sort="connection_name")
    ]
    assert names == sorted(names)


def test_profiles_are_found_by_name(client: httpx.Client) -> None:
    (found,) = data(client, "/messaging_profiles", **{"filter[name][contains]": "spring"})
    assert data(client, "/messaging_profiles", **{"filter[name][eq]": found["name"]}) == [found]
    assert data(client, "/messaging_profiles", **{"filter[name][eq]": "spring"}) == []


def test_errors_of_billing_groups_have_integer_codes(client: httpx.Client) -> None:
    for path, headers in (
        ("/billing_groups?page[size]=0", {}),
        ("/billing_groups", {"authorization": "Bearer KEY_OTHER"}),
    ):
        (error,) = client.get(path, headers=headers).json()["errors"]
        assert type(error["code"]) is int


LIMIT_FIELDS = {
    "record_type",
    "product",
    "product_name",
    "period",
    "period_start",
    "period_end",
    "limit",
    "effective_limit_usd",
    "spend_usd",
    "spend_error",
    "blocked",
    "block",
}


def test_spend_limits_come_in_one_answer_with_all_their_fields(client: httpx.Client) -> None:
    answer = client.get("/spend_limits").json()
    assert all(set(row) == LIMIT_FIELDS for row in answer["data"])
    periods = {(row["product"], row["period"]) for row in answer["data"]}
    assert len(periods) == len(answer["data"]) == 4
    paged = client.get("/spend_limits?page[number]=2&page[size]=1").json()
    assert paged["data"] == answer["data"]
    limits = [row["limit"] for row in answer["data"]]
    assert None in limits
    assert any(limit and limit["unlimited"] and limit["amount"] is None for limit in limits)
    unread = [row for row in answer["data"] if row["spend_usd"] is None]
    assert unread
    assert all(row["spend_error"] for row in unread)
    assert not any(row["blocked"] or row["block"] for row in answer["data"])


@pytest.mark.parametrize(("period", "since"), [("daily", "2026-06-17"), ("monthly", "2026-06-01")])
def test_the_spend_of_a_limit_is_that_of_usage_reports(
    client: httpx.Client, period: str, since: str
) -> None:
    rows = data(client, "/spend_limits")
    (limit,) = [r for r in rows if (r["product"], r["period"]) == ("inference", period)]
    report = {
        "product": "inference",
        "dimensions": "model",
        "metrics": "cost",
        "start_date": f"{since}T00:00:00Z",
        "end_date": "2026-06-17T12:00:00Z",
    }
    spent = sum(row["cost"] for row in data(client, "/usage_reports", **report))
    assert spent > 0
    assert abs(float(limit["spend_usd"]) - spent) < 0.0051


def test_a_large_account_is_not_over_its_limits_at_once() -> None:
    account = Account(today=date(2026, 6, 17), records_per_month=10_000_000)
    for row in account.spend_limits.data():
        limit, spend = row["effective_limit_usd"], row["spend_usd"]
        assert limit is None or spend is None or Decimal(spend) < Decimal(limit)
        assert not row["blocked"]


@pytest.mark.parametrize("product", ["inference", "text-to-speech"])
@pytest.mark.parametrize("period", ["daily", "monthly"])
def test_a_product_is_blocked_on_demand_until_the_period_ends(
    client: httpx.Client, sandbox: Sandbox, product: str, period: str
) -> None:
    url = f"{sandbox.control_url}/blocks"
    assert client.post(url, json={"product": product, "period": period}).status_code == 201
    rows = data(client, "/spend_limits")
    (blocked,) = [row for row in rows if row["blocked"]]
    assert (blocked["product"], blocked["period"]) == (product, period)
    assert blocked["block"]["blocked_until"] == blocked["period_end"]
    assert Decimal(blocked["block"]["spend_usd"]) > Decimal(blocked["block"]["limit_usd"])
    assert blocked["effective_limit_usd"] == blocked["block"]["limit_usd"]
    sandbox.reset()
    assert not any(row["blocked"] for row in data(client, "/spend_limits"))


def test_a_misspelt_block_is_an_error_that_names_the_products(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    url = f"{sandbox.control_url}/blocks"
    for body in ({"product": "inferense"}, {"product": "inference", "period": "weekly"}):
        answer = client.post(url, json=body)
        assert answer.status_code == 400
        assert "text-to-speech" in answer.text
    wrongs: list[Any] = [{}, [], {"product": "inference", "by": 1}]
    for wrong in wrongs:
        assert client.post(url, json=wrong).status_code == 400


def told_of(client: httpx.Client, event_name: str) -> set[str]:
    """Who is told of an event, as five lists together say."""
    lists = {
        what: data(client, f"/notification_{what}")
        for what in ("events", "event_conditions", "settings", "channels", "profiles")
    }
    events = {row["id"] for row in lists["events"] if row["name"] == event_name}
    conditions = {
        row["id"]: row
        for row in lists["event_conditions"]
        if row["notification_event_id"] in events
    }
    profiles = {row["id"] for row in lists["profiles"]}
    told = set()
    for setting in lists["settings"]:
        condition = conditions.get(setting["notification_event_condition_id"])
        if condition is None or setting["status"].startswith("delete"):
            continue
        assert setting["notification_profile_id"] in profiles
        told |= {
            channel["channel_destination"]
            for channel in lists["channels"]
            if channel["notification_profile_id"] == setting["notification_profile_id"]
            and channel["channel_type_id"] in condition["supported_channels"]
            and setting.get("notification_channel_id", channel["id"]) == channel["id"]
        }
    return told


def test_low_credit_is_notified_to_an_address_and_a_phone(client: httpx.Client) -> None:
    """And no longer to the person whose setting is deleted."""
    told = told_of(client, "Low Available Credit")
    assert told == {"olivia.brandt@northwind-parcels.example", "+13125550142"}
    assert len(told_of(client, "New Invoice")) == 2
    assert told_of(client, "Suspicious Outbound Voice") == set()
    (hook,) = told_of(client, "Port Out")
    assert "Pa55@" in hook


def test_notifications_are_filtered_as_documented(client: httpx.Client) -> None:
    channels = data(client, "/notification_channels", **{"filter[channel_type_id][eq]": "sms"})
    assert [each["channel_destination"] for each in channels] == ["+13125550142"]
    settings = data(
        client, "/notification_settings", **{"filter[notification_channel][eq]": channels[0]["id"]}
    )
    assert [row["notification_channel_id"] for row in settings] == [channels[0]["id"]]
    deleted = data(client, "/notification_settings", **{"filter[status][eq]": "deleted"})
    assert len(deleted) == 1
    pigeon = client.get("/notification_channels?filter[channel_type_id][eq]=pigeon")
    assert pigeon.status_code == 422
