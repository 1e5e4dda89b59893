"""What Telnyx may do to an export that runs for hours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.cli import export as command
from telnyx_mcp.cli.export import export
from telnyx_mcp.exporting.failure import ExportFailure
from telnyx_mcp.exporting.pages import Pages
from telnyx_mcp.exporting.part import Journal, Part
from telnyx_mcp.exporting.progress import TELNYX_ROWS_PER_SECOND, Lines
from telnyx_mcp.exporting.question import Question
from telnyx_mcp.sandbox import running_sandbox
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.transport import Transport
from tests.support.clock import TODAY
from tests.support.exported_files import rows_of
from tests.support.scripted_telnyx import Answer, Scripted, answer, complaint, hang_up
from tests.support.simulated_time import Time

UNTIL = "2026-06-01T00:00:00Z"


def question(record_type: str = "messaging", format: str = "csv") -> Question:
    return Question(
        record_type=record_type,
        start="2026-05-01T00:00:00Z",
        end=UNTIL,
        filters={},
        format=format,
        account="a",
    )


@pytest.fixture
def part(tmp_path: Path) -> Iterator[Part]:
    with Part(tmp_path / "may.csv", Journal(question=question(), until=UNTIL)) as made:
        yield made


class Told(list[str]):
    """What the person was told."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self.progress = Lines(self.append, time.clock)


@pytest.fixture
def told(time: Time) -> Told:
    return Told(time)


async def exported(
    part: Part, client: TelnyxClient, time: Time, told: Told
) -> list[dict[str, Any]]:
    asked = part.journal.question
    pages = Pages(client, asked, UNTIL, told.progress, time.sleep, time.clock)
    await export(part, pages, told.progress)
    return rows_of(part.target.with_name("may.csv.part"))


def page(numbers: range | list[int], total: int | None, pages: int | None = None) -> Answer:
    rows = [{"id": str(each), "created_at": "2026-05-02T00:00:00Z"} for each in numbers]
    return answer(200, {"data": rows, "meta": {"total_results": total, "total_pages": pages}})


async def test_each_page_is_asked_for_as_the_largest_by_time(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    scripted.will(page(range(50), 60, 2), page(range(50, 60), 60, 2))
    rows = await exported(part, client, time, told)
    assert [row["id"] for row in rows] == [str(each) for each in range(60)]
    assert len(scripted.requests) == 2
    assert all("page%5Bsize%5D=50" in each.target for each in scripted.requests)
    assert all("sort=created_at" in each.target for each in scripted.requests)


async def test_what_fails_for_minutes_is_retried_and_reported(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    failures = [hang_up(), complaint(500), answer(502, b"<html>"), complaint(429, "10011")] * 5
    scripted.will(page(range(50), 60, 2), *failures, page(range(50, 60), 60, 2))
    assert len(await exported(part, client, time, told)) == 60
    assert any("waiting 5 s" in each for each in told)
    command._check(part.journal)


async def test_failures_for_a_quarter_of_an_hour_end_the_export(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    scripted.will(page(range(50), 60, 2), hang_up())
    began = time.at
    with pytest.raises(TelnyxError, match="connection"):
        await exported(part, client, time, told)
    assert 800 < time.at - began < 1000
    assert part.journal.rows == 50


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_failure_that_waiting_does_not_help_ends_the_export_at_once(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told, status: int
) -> None:
    scripted.will(page(range(50), 60, 2), complaint(status))
    with pytest.raises(TelnyxError):
        await exported(part, client, time, told)
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(
    ("second", "whole"),
    [
        (page(range(50, 59), 60, 2), False),  # fewer than counted
        (
            page(range(49, 60), 61, 2),
            False,
        ),  # one was added in front: one comes twice, one is missed
        (page(range(50, 61), 61, 2), True),  # one was added at the end
        (page([], 60, 2), False),
        (page(range(50), 60, 2), False),  # the same page again
        (page(range(50, 62), 60, 2), False),  # more than counted
    ],
)
async def test_an_export_with_another_count_than_telnyx_is_incomplete(
    part: Part,
    client: TelnyxClient,
    scripted: Scripted,
    time: Time,
    told: Told,
    second: Answer,
    whole: bool,
) -> None:
    scripted.will(page(range(50), 60, 2), second)
    ids = [row["id"] for row in await exported(part, client, time, told)]
    assert len(ids) == len(set(ids)) == part.journal.rows
    if whole:
        command._check(part.journal)
        return
    with pytest.raises(ExportFailure, match="incomplete: Telnyx counts"):
        command._check(part.journal)


async def test_a_page_that_was_empty_once_is_asked_for_again_when_the_export_goes_on(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    scripted.will(page(range(50), 60, 2), page([], 60, 2), page(range(50, 60), 60, 2))
    assert len(await exported(part, client, time, told)) == 50
    assert len(await exported(part, client, time, told)) == 60
    command._check(part.journal)


async def test_without_a_count_it_reads_until_a_page_is_not_full(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    scripted.will(page(range(50), None), page(range(50, 60), None))
    assert len(await exported(part, client, time, told)) == 60
    command._check(part.journal)


async def test_equal_records_without_an_id_are_all_kept(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    same = {"cost": "0.01", "created_at": "2026-05-02T00:00:00Z"}

    def rows(count: int) -> Answer:
        return answer(
            200, {"data": [same] * count, "meta": {"total_results": 60, "total_pages": 2}}
        )

    scripted.will(rows(50), rows(10))
    assert len(await exported(part, client, time, told)) == 60


async def test_fields_that_come_later_are_kept_in_the_last_column(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    later = {"id": "51", "uuid": "u", "new": {"a": [1]}, "newer": None}
    scripted.will(
        page(range(50), 51, 2),
        answer(200, {"data": [later], "meta": {"total_results": 51, "total_pages": 2}}),
    )
    rows = await exported(part, client, time, told)
    assert rows[50]["uuid"] == "u", "documented, so a column though the first page lacks it"
    assert json.loads(rows[50]["more"]) == {"new": {"a": [1]}, "newer": None}
    assert {row["more"] for row in rows[:50]} == {""}


async def test_cells_are_not_formulas_and_hold_no_secrets(
    part: Part, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    row = {
        "id": "1",
        "=cmd|' /C calc'!A0": "x",
        "cli": "=HYPERLINK(1)",
        "cld": "+15550100",
        "delivery_status_webhook_url": "https://user:hunter2@example.com/?token=abc123secret",
        "password": "hunter2",
    }
    scripted.will(answer(200, {"data": [row], "meta": {"total_results": 1, "total_pages": 1}}))
    (cells,) = await exported(part, client, time, told)
    assert cells["cli"] == "'=HYPERLINK(1)"
    assert cells["cld"] == "+15550100"
    assert all(not each.startswith("=") for each in [*cells, *cells.values()])
    assert "hunter2" not in str(cells)
    assert "abc123secret" not in str(cells)


async def test_a_time_field_that_a_type_lacks_is_not_taken_for_an_empty_period(
    tmp_path: Path, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    start = Journal(question=question("fax"), until=UNTIL)
    started = {"id": "1", "started_at": "2026-05-02T00:00:00Z"}
    found = answer(200, {"data": [started], "meta": {"total_results": 1, "total_pages": 1}})
    scripted.will(page([], 0, 0), found, found)
    with Part(tmp_path / "may.csv", start) as part:
        assert len(await exported(part, client, time, told)) == 1
        assert part.journal.time_field == "started_at"
    assert "started_at" not in scripted.requests[1].target, "asked without a time"


async def test_records_without_any_known_time_are_not_taken_for_an_empty_period(
    tmp_path: Path, client: TelnyxClient, scripted: Scripted, time: Time, told: Told
) -> None:
    start = Journal(question=question("recording"), until=UNTIL)
    nothing, some = page([], 0, 0), answer(200, {"data": [{"id": "1"}], "meta": {}})
    scripted.will(nothing, some, nothing, some)
    with (
        Part(tmp_path / "may.csv", start) as part,
        pytest.raises(ExportFailure, match="which field holds the time"),
    ):
        await exported(part, client, time, told)


@pytest.mark.slow
async def test_an_export_uses_the_whole_pace_that_telnyx_allows_and_no_more(
    part: Part, time: Time, told: Told
) -> None:
    with running_sandbox(
        today=TODAY, rate_limit=(40, 60.0), records_per_day=200, clock=time.clock
    ) as sandbox:
        transport = Transport(
            SecretStr(sandbox.key),
            sandbox.base_url,
            pacer=time.pacer(),
            clock=time.clock,
            sleep=time.sleep,
        )
        began = time.at
        rows = await exported(part, TelnyxClient(transport), time, told)
        await transport.aclose()
        assert len(rows) == 31 * 200
        assert "429" not in sandbox.counts
    minutes = ceil(len(rows) / 50 / 40) - 1  # the first forty requests need no time here
    assert time.at - began <= minutes * 60 * 1.02
    assert told[0] == "50 of 6,200 rows, 0:03:04 left\n"
    assert len(told) <= 2 * minutes + 1, "a line every half minute"
    assert told[-1].endswith(" a minute, 0:00:04 left\n")
    assert round(TELNYX_ROWS_PER_SECOND * 60) == 2000
