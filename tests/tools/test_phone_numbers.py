"""`telnyx_list_phone_numbers`: whose a number is, which are unused, how many of each kind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.catalog.list_phone_numbers import MAX_PAGES
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer, complaint

TOOL = "telnyx_list_phone_numbers"
Json = dict[str, Any]
Numbers = list[Json]


@pytest.fixture
def numbers(sandbox: Sandbox) -> Numbers:
    """Every active number as Telnyx lists it."""
    found = raw_api.everything(sandbox, "phone_numbers", {}, 250)
    sandbox.log.clear()
    return found


async def ask(server: AccountServer, **arguments: Any) -> Json:
    return content_of(await call(server, TOOL, arguments))


async def everything(server: AccountServer, **arguments: Any) -> list[str]:
    """The numbers on all pages of a question. Each page must tell the same total."""
    found: list[str] = []
    number: int | None = 1
    while number:
        told = await ask(server, page=number, page_size=40, **arguments)
        found += listed(told)
        number = told.get("next_page")
        assert number or told["total"] == len(found)
    return found


def listed(told: Json) -> list[str]:
    return [each["phone_number"] for each in told["items"]]


def names_of(sandbox: Sandbox, path: str) -> dict[str, str]:
    return {each["id"]: each["name"] for each in raw_api.get(sandbox, path, {})["data"]}


def kind(number: Json) -> str:
    former = {"longcode": "local", "tollfree": "toll_free"}
    told: str = number["phone_number_type"]
    return former.get(told, told)


# --- rows ----------------------------------------------------------------------------------------


async def test_a_row_says_whose_a_number_is(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers
) -> None:
    truth = next(
        each for each in numbers if each["messaging_profile_id"] and each["billing_group_id"]
    )
    (row,) = (await ask(server, number=truth["phone_number"]))["items"]
    assert row["connection_name"] == truth["connection_name"]
    assert row["messaging_profile_name"] == truth["messaging_profile_name"]
    groups = names_of(sandbox, "billing_groups")
    assert row["billing_group_name"] == groups[truth["billing_group_id"]]
    for field in ("connection_id", "messaging_profile_id", "billing_group_id", "tags"):
        assert row[field] == truth[field]


@pytest.mark.parametrize("arguments", [{}, {"number": "555"}, {"profile": "none"}])
async def test_the_pin_of_a_number_is_never_shown(
    server: AccountServer, numbers: Numbers, arguments: Json
) -> None:
    result = await call(server, TOOL, arguments | {"page_size": 40})
    said = text_of(result) + json.dumps(result.structured_content)
    pins = {each["external_pin"] for each in numbers if each["external_pin"]}
    assert pins
    assert "external_pin" not in said
    assert not [each for each in pins if f'"{each}"' in said]


async def test_pages_go_on_to_the_last_number(server: AccountServer, numbers: Numbers) -> None:
    assert await everything(server) == [each["phone_number"] for each in numbers]


# --- one number ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spell",
    [
        lambda each: each,
        lambda each: each[1:],
        lambda each: each[2:],
        lambda each: f"({each[2:5]}) {each[5:8]}-{each[8:]}",
        lambda each: f"1-{each[2:5]}-{each[5:8]}-{each[8:]}",
        lambda each: f"001 {each[2:5]} {each[5:]}",
        lambda each: f"tel:+1-{each[2:]}",
        lambda each: each[-7:],
    ],
)
async def test_a_number_is_found_in_any_spelling(
    server: AccountServer, numbers: Numbers, spell: Callable[[str], str]
) -> None:
    number = numbers[7]["phone_number"]
    assert number in listed(await ask(server, number=spell(number)))


async def test_a_released_number_is_still_found_with_its_status(
    server: AccountServer, sandbox: Sandbox
) -> None:
    for status in ("deleted", "ported-out"):
        gone = raw_api.get(sandbox, "phone_numbers", {"filter[status]": status})["data"][0]
        told = await ask(server, number=gone["phone_number"])
        assert [(each["phone_number"], each["status"]) for each in told["items"]] == [
            (gone["phone_number"], status)
        ]
        assert "No active number" in told["note"]


async def test_only_the_status_that_was_asked_for_is_looked_at(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers
) -> None:
    told = await ask(server, number=numbers[0]["phone_number"], status="deleted")
    assert told["items"] == []
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"number": "12"},
        {"number": "depot"},
        {"country": "USA"},
        {"status": "gone"},
        {"type": "fax"},
        {"unused_days": -1},
        {"group_by": ["price"]},
        {"group_by": ["type", "tag", "country"]},
        {"page_size": 41},
    ],
)
async def test_arguments_that_mean_nothing_are_refused_before_anything_is_asked(
    server: AccountServer, sandbox: Sandbox, arguments: Json
) -> None:
    result = await call(server, TOOL, arguments)
    assert result.is_error
    assert "Nothing was asked of Telnyx" in text_of(result)
    assert sandbox.requests == []


# --- filters -------------------------------------------------------------------------------------

FILTERS: list[tuple[Json, Callable[[Json], bool]]] = [
    ({"tag": "marketing"}, lambda each: "marketing" in each["tags"]),
    ({"tag": "none"}, lambda each: not each["tags"]),
    ({"billing_group": "none"}, lambda each: each["billing_group_id"] is None),
    ({"connection": "none"}, lambda each: each["connection_id"] is None),
    ({"profile": "none"}, lambda each: each["messaging_profile_id"] is None),
    ({"connection": "contact CENTRE"}, lambda each: each["connection_name"] == "Contact centre"),
    ({"connection": "SIP"}, lambda each: each["connection_name"] == "Warehouse SIP trunk"),
    (
        {"profile": "Two-factor codes"},
        lambda each: each["messaging_profile_name"] == "Two-factor codes",
    ),
    ({"type": "toll-free"}, lambda each: kind(each) == "toll_free"),
    ({"country": "us", "type": "local"}, lambda each: kind(each) == "local"),
    (
        {"tag": "support", "connection": "Contact centre", "profile": "none"},
        lambda each: (
            "support" in each["tags"]
            and each["connection_name"] == "Contact centre"
            and each["messaging_profile_id"] is None
        ),
    ),
]


@pytest.mark.parametrize(
    ("arguments", "wanted"), FILTERS, ids=lambda each: "" if callable(each) else str(each)[:40]
)
async def test_filters_find_exactly_those_numbers(
    server: AccountServer, numbers: Numbers, arguments: Json, wanted: Callable[[Json], bool]
) -> None:
    truth = [each["phone_number"] for each in numbers if wanted(each)]
    assert await everything(server, **arguments) == truth


async def test_a_filter_takes_an_id_as_well_as_a_name(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers
) -> None:
    for argument, path in (("billing_group", "billing_groups"), ("profile", "messaging_profiles")):
        for its_id, name in names_of(sandbox, path).items():
            by_id = await ask(server, **{argument: its_id})
            by_name = await ask(server, **{argument: name})
            assert by_id["items"] == by_name["items"]
            assert by_id["total"] == by_name["total"] > 0


async def test_a_name_that_nothing_has_is_an_error_that_lists_the_names(
    server: AccountServer,
) -> None:
    for argument, near in (
        ("connection", "Contact centre"),
        ("profile", "Two-factor codes"),
        ("billing_group", "Customer care"),
    ):
        result = await call(server, TOOL, {argument: near[:6] + "xx"})
        assert result.is_error
        assert near in text_of(result)


async def test_a_part_of_several_names_is_an_error_that_lists_their_ids(
    server: AccountServer, sandbox: Sandbox
) -> None:
    result = await call(server, TOOL, {"connection": "e"})
    assert result.is_error
    connections = raw_api.get(sandbox, "connections", {})["data"]
    for each in connections:
        assert (each["id"] in text_of(result)) == ("e" in each["connection_name"].lower())


async def test_names_that_can_not_be_read_leave_ids_as_they_are(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers
) -> None:
    for operation in ("list_billing_groups", "list_connections", "list_messaging_profiles"):
        sandbox.fault(operation, "status", status=403, times=None)
    told = await ask(server, connection=numbers[0]["connection_id"])
    assert told["total"] == sum(
        each["connection_id"] == numbers[0]["connection_id"] for each in numbers
    )
    assert any("billing_group_id" in each for each in told["items"])
    assert not any("billing_group_name" in each for each in told["items"])
    result = await call(server, TOOL, {"connection": "Contact centre"})
    assert result.is_error
    assert "could not be read" in text_of(result)


# --- unused --------------------------------------------------------------------------------------


def used_since(sandbox: Sandbox, start: str) -> set[str]:
    """The numbers that any usage report names from that day on."""
    used = set()
    for product, option in raw_api.options(sandbox).items():
        if "tn" in option["product_dimensions"]:
            asked = {
                "product": product,
                "dimensions": "tn",
                "metrics": option["product_metrics"][0],
                "start_date": f"{start}T00:00:00Z",
                "end_date": "2026-06-15T11:55:00Z",
            }
            used |= {
                each["tn"] for each in raw_api.everything(sandbox, "usage_reports", asked, 5000)
            }
    return used


@pytest.mark.parametrize(("days", "start"), [(1, "2026-06-14"), (30, "2026-05-16")])
async def test_unused_numbers_are_those_that_no_usage_report_names(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers, days: int, start: str
) -> None:
    told = await ask(server, unused_days=days, page_size=40)
    used = used_since(sandbox, start)
    truth = [each["phone_number"] for each in numbers if each["phone_number"] not in used]
    assert 0 < len(truth) < len(numbers)
    assert told["total"] == len(truth)
    assert listed(told) == truth[: told["returned"]]
    assert "messaging, sip-trunking" in told["note"]


async def test_no_number_is_called_unused_where_some_usage_is_unknown(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report", "status", status=500)
    result = await call(server, TOOL, {"unused_days": 30})
    assert result.is_error
    assert "unknown" in text_of(result)
    assert "+1" not in text_of(result)


# --- counts --------------------------------------------------------------------------------------

COUNTS: list[tuple[list[str], Callable[[Json], list[tuple[str, ...]]]]] = [
    (["type"], lambda each: [(kind(each),)]),
    (["country"], lambda each: [(each["country_iso_alpha2"],)]),
    (["connection"], lambda each: [(each["connection_name"],)]),
    (["profile"], lambda each: [(each["messaging_profile_name"] or "(none)",)]),
    (["tags"], lambda each: [(tag,) for tag in each["tags"] or ["(none)"]]),
    (
        ["tag", "kind"],
        lambda each: [(tag, kind(each)) for tag in each["tags"] or ["(none)"]],
    ),
]


@pytest.mark.parametrize(("by", "values"), COUNTS, ids=lambda each: str(each)[:20])
async def test_groups_count_every_number(
    server: AccountServer,
    numbers: Numbers,
    by: list[str],
    values: Callable[[Json], list[tuple[str, ...]]],
) -> None:
    told = await ask(server, group_by=by, page_size=40)
    truth = Counter(value for each in numbers for value in values(each))
    own = {"tags": "tag", "kind": "type"}
    found = {
        tuple(each[own.get(name, name)] for name in by): each["numbers"] for each in told["items"]
    }
    assert found == truth
    assert told["numbers"] == len(numbers)
    counts = [each["numbers"] for each in told["items"]]
    assert counts == sorted(counts, reverse=True)


async def test_billing_groups_are_counted_by_name_with_their_ids(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers
) -> None:
    told = await ask(server, group_by=["billing_group"])
    names = names_of(sandbox, "billing_groups")
    truth = Counter(each["billing_group_id"] for each in numbers)
    assert {each.get("billing_group_id"): each["numbers"] for each in told["items"]} == truth
    assert {each["billing_group"] for each in told["items"]} == {"(none)", *names.values()}


async def test_any_status_counts_also_what_the_account_no_longer_has(
    server: AccountServer, sandbox: Sandbox, numbers: Numbers
) -> None:
    told = await ask(server, status="any", group_by=["status"])
    found = {each["status"]: each["numbers"] for each in told["items"]}
    assert found.pop("active") == len(numbers)
    for status, count in found.items():
        asked = {"filter[status]": status}
        assert count == len(raw_api.everything(sandbox, "phone_numbers", asked, 250))
    assert set(found) == {"deleted", "ported-out"}


async def test_groups_go_with_every_filter(server: AccountServer, numbers: Numbers) -> None:
    told = await ask(server, group_by=["connection"], tag="marketing", profile="none")
    truth = Counter(
        each["connection_name"]
        for each in numbers
        if each["tags"] == ["marketing"] and each["messaging_profile_id"] is None
    )
    assert {each["connection"]: each["numbers"] for each in told["items"]} == truth


# --- what could not be read ----------------------------------------------------------------------


def page(first: int, total: int, size: int = 250) -> Any:
    rows = [
        {"id": str(first + row), "phone_number": f"+1312{first + row:07}", "tags": []}
        for row in range(size)
    ]
    meta = {"total_pages": -(-total // 250), "total_results": total}
    return answer(200, {"data": rows, "meta": meta})


async def test_counts_of_a_list_that_broke_off_are_called_parts(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(page(0, 400), answer(500, {}))
    told = await ask(scripted_server, group_by=["type"])
    assert (told["part_numbers"], told["items"]) == (250, [{"type": "(none)", "part_numbers": 250}])
    assert "numbers" not in told
    assert told["note"].startswith("INCOMPLETE: read 250 of 400 active numbers")


async def test_rows_of_a_list_that_broke_off_have_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(page(0, 400), answer(500, {}))
    told = await ask(scripted_server, profile="none")
    assert "total" not in told
    assert "INCOMPLETE" in told["note"]


async def test_a_list_ends_at_the_page_limit_and_says_so(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(*(page(number, 75_000, size=1) for number in range(300)))
    told = await ask(scripted_server, group_by=["type"])
    assert told["part_numbers"] == MAX_PAGES
    assert "the most that one call reads" in told["note"]
    assert len(scripted.requests) == MAX_PAGES


@pytest.mark.parametrize("arguments", [{}, {"group_by": ["type"]}, {"connection": "none"}])
async def test_a_refused_list_is_an_error(
    scripted: Scripted, scripted_server: AccountServer, arguments: Json
) -> None:
    scripted.will(complaint(403, "10010"))
    result = await call(scripted_server, TOOL, arguments)
    assert result.is_error
    assert "may not do this" in text_of(result)


async def test_odd_rows_fail_nothing(scripted: Scripted, scripted_server: AccountServer) -> None:
    rows = [{}, {"phone_number": None, "tags": None}, {"phone_number": "+1 x", "purchased_at": 5}]
    scripted.will_answer({"data": rows, "meta": {"total_pages": 1, "total_results": 3}})
    assert (await ask(scripted_server))["returned"] == 3
    told = await ask(scripted_server, group_by=["tag", "profile"])
    assert told["items"] == [{"tag": "(none)", "profile": "(none)", "numbers": 3}]
