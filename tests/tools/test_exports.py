"""CSV files: whole or marked, never overwritten, safe to open."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools.framework.accounts import Account, AccountRegistry
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.support.csv_export import Export, cells
from telnyx_mcp.untrusted import sanitize
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.clock import NOW

SEARCH = "telnyx_search_detail_records"
FILTERS = ["created_at>=2026-06-01", "created_at<2026-06-08"]
WEEK: dict[str, Any] = {
    "record_type": "messaging",
    "filters": FILTERS,
    "sort": ["created_at"],
    "export": True,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
async def exporting(settings: Settings, folder: Path) -> AsyncIterator[AccountServer]:
    """A server that may write files."""
    server = build_server(settings.model_copy(update={"export_dir": folder}), now=lambda: NOW)
    yield server
    await server.accounts.aclose()


def rows_of(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8-sig"), newline="")))


async def test_all_records_that_match_are_in_the_file(
    exporting: AccountServer, sandbox: Sandbox, folder: Path
) -> None:
    told = content_of(await call(exporting, SEARCH, WEEK))
    records = raw_api.records(sandbox, "messaging", "created_at", "2026-06-01", "2026-06-08")
    rows = rows_of(told["file"]["path"])
    assert told["file"]["rows"] == len(rows) == len(records)
    assert told["file"]["complete"] is True
    assert Path(told["file"]["path"]).read_bytes().startswith(codecs.BOM_UTF8)  # noqa: ASYNC240
    assert {row["uuid"] for row in rows} == {each["uuid"] for each in records}
    assert sum(Decimal(row["cost"]) for row in rows) == sum(map(raw_api.cost, records))
    assert rows[0]["cli"].startswith("+"), "a phone number is left as it is"
    assert told["items"] == []
    assert os.listdir(folder) == [Path(told["file"]["path"]).name]  # noqa: PTH208
    assert told["file"]["bytes"] == os.stat(told["file"]["path"]).st_size  # noqa: PTH116


async def test_a_breakdown_has_a_row_for_each_service_of_each_number(
    exporting: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"start_date": "2026-05-01", "export": True}
    told = content_of(await call(exporting, "telnyx_get_charges_breakdown", arguments))
    truth = raw_api.get(sandbox, "charges_breakdown", {"start_date": "2026-05-01"})["data"][
        "results"
    ]
    rows = rows_of(told["file"]["path"])
    costs = [Decimal(each["cost"]) for number in truth for each in number["services"]]
    assert [Decimal(row["cost"]) for row in rows] == costs
    assert {row["currency"] for row in rows} == {"USD"}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (SEARCH, WEEK),
        ("telnyx_get_charges_breakdown", {"start_date": "2026-05-01", "export": True}),
    ],
)
async def test_without_a_folder_it_is_refused_with_how_to_set_one(
    server: AccountServer, tool: str, arguments: dict[str, Any]
) -> None:
    result = await call(server, tool, arguments)
    assert result.is_error
    assert "TELNYX_MCP_EXPORT_DIR" in text_of(result)


async def test_a_file_that_is_not_whole_says_so_in_its_name(
    exporting: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, skip=1, times=None)
    told = content_of(await call(exporting, SEARCH, WEEK))
    assert told["file"]["complete"] is False
    assert told["file"]["path"].endswith("-INCOMPLETE.csv")
    assert told["file"]["rows"] == 50
    assert told["note"].startswith("INCOMPLETE")


async def test_a_file_ends_where_it_would_get_too_large(exporting: AccountServer) -> None:
    services = replace(await exporting.accounts.main.services(), largest_file=5_000)
    small = AccountServer(AccountRegistry(Account.ready(services)), read_only=True)
    told = content_of(await call(small, SEARCH, WEEK))
    assert told["file"]["complete"] is False
    assert 5_000 < told["file"]["bytes"] < 6_500


async def test_a_first_page_that_fails_leaves_no_file(
    exporting: AccountServer, sandbox: Sandbox, folder: Path
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, times=None)
    assert (await call(exporting, SEARCH, WEEK)).is_error
    assert os.listdir(folder) == []  # noqa: PTH208


async def test_a_folder_that_cannot_be_written_to_is_reported(
    settings: Settings, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")
    server = build_server(settings.model_copy(update={"export_dir": taken}), now=lambda: NOW)
    result = await call(server, SEARCH, WEEK)
    await server.accounts.aclose()
    assert result.is_error
    assert str(taken) in text_of(result)


def test_the_name_is_the_servers_and_never_taken_twice(folder: Path) -> None:
    names = set()
    for _ in range(5):
        with Export(folder, "../../etc/passwd ; rm", NOW) as export:
            export.write([{"a": 1}])
            names.add(export.finish(complete=True).path)
    assert len(names) == 5
    for name in names:
        assert Path(name).parent == folder
        assert re.fullmatch(r"telnyx-[a-z0-9-]+-20260615T120000-[0-9a-f]{6}\.csv", Path(name).name)
    if os.name == "posix":
        assert {Path(name).stat().st_mode & 0o777 for name in names} == {0o600}


def test_a_name_that_is_taken_is_left_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telnyx_mcp.tools.support.csv_export.secrets.token_hex", lambda _: "aaaaaa")
    with Export(folder, "x", NOW) as export:
        export.write([{"a": "older"}])
        older = export.finish(complete=True)
    with Export(folder, "x", NOW) as export:
        export.write([{"a": "newer"}])
        with pytest.raises(ToolFailure, match="exists"):
            export.finish(complete=True)
    assert [row["a"] for row in rows_of(older.path)] == ["older"]


def test_a_file_that_is_not_finished_is_not_there(folder: Path) -> None:
    with Export(folder, "x", NOW) as export:
        export.write([{"a": 1}])
    assert list(folder.iterdir()) == []


def test_what_only_later_rows_have_is_kept_too(folder: Path) -> None:
    with Export(folder, "x", NOW) as export:
        export.write([{"a": 1}, {"a": 2, "b": [1, 2]}])
        export.write([{"a": 3, "late": "here"}])
        file = export.finish(complete=True)
    rows = rows_of(file.path)
    assert [(row["a"], row["b"], row["more"]) for row in rows] == [
        ("1", "", ""),
        ("2", "[1,2]", ""),
        ("3", "", '{"late":"here"}'),
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        (" =1", "' =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\ufeff\x00=1", "'\ufeff\x00=1"),
        ("x;=1+1", "x;'=1+1"),
        ("x;  @SUM(A1)", "x;'  @SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("＝1", "'＝1"),  # noqa: RUF001 - the wide sign is the point
        ("+14155550100", "+14155550100"),
        ("-12.50", "-12.50"),
        ("plain = text", "plain = text"),
        ("a@b.example", "a@b.example"),
        (None, ""),
        (True, "true"),
        (["=1"], '["=1"]'),
        (-3, "-3"),
    ],
)
def test_no_cell_is_a_formula(value: Any, shown: str) -> None:
    assert cells([value]) == [shown]


SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b"
BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
UNSEEN = " \u00a0\u3000\u200b\u2060\u00ad\u202e\ufe0f\u3164\ufeff\x00\x7f"
NASTY = SIGNS + BREAKS + UNSEEN + "\",;\t'1a"
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
SUM = re.compile(r"[+-]?\d+(\.\d+)?,[^(|!\[]*", re.ASCII | re.DOTALL)
"""A line that begins with a number, as one cell: arithmetic at most, without calls, DDE and references."""


def read_anywhere(text: str) -> Iterator[str]:
    """The cells that spreadsheets of several countries make of a file: split at commas, semicolons
    or tabs; lines read whole, or ended by whatever could end one, even inside of quotes."""
    for delimiter in ",;\t":
        whole = io.StringIO(text, newline="")
        yield from (cell for row in csv.reader(whole, delimiter=delimiter) for cell in row)
        for line in text.splitlines():
            yield from (cell for row in csv.reader([line], delimiter=delimiter) for cell in row)


def runs(cell: str) -> bool:
    """Whether a spreadsheet may take the cell for a formula, once it dropped what is not seen."""
    seen = cell.lstrip(UNSEEN + BREAKS + '\t"')
    return seen[:1] in {*SIGNS} and not PLAIN_NUMBER.fullmatch(cell) and not SUM.fullmatch(cell)


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    with Export(folder, "x", NOW) as export:
        export.write(rows)
        path = Path(export.finish(complete=True).path)
    text = path.read_bytes().decode("utf-8-sig")
    path.unlink()
    return text


nasty_text = st.text(NASTY, max_size=12) | st.text(max_size=12)


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"a": nasty_text, "b": nasty_text}, optional={"c": st.lists(nasty_text, max_size=3)}
        ),
        min_size=1,
        max_size=3,
    )
)
@hypothesis.settings(max_examples=1000)
def test_no_spreadsheet_of_any_country_finds_a_formula(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    text = written(tmp_path_factory.getbasetemp() / "formulas", rows)
    assert [cell for cell in read_anywhere(text) if runs(cell)] == []


@pytest.mark.parametrize("first", ["-1", "+14155550100", "-1.5"])
@pytest.mark.parametrize(
    "second", ["1+cmd|' /C calc'!A0", '1+HYPERLINK("http://x.example")', "1+[x.xls]A!A1"]
)
def test_a_line_that_begins_with_a_number_is_not_a_formula_where_semicolons_separate_cells(
    tmp_path: Path, first: str, second: str
) -> None:
    """The line is one cell there, and begins with the sign of its first value."""
    text = written(tmp_path, [{"a": first, "b": second}])
    assert [cell for cell in read_anywhere(text) if runs(cell)] == []
    harmless = written(tmp_path, [{"a": first, "b": "Local DIDs"}])
    assert harmless.splitlines()[1].startswith(f'"{first}",'), "a number stays a number"


@given(rows=st.lists(st.fixed_dictionaries({"a": nasty_text, "b": nasty_text}), min_size=1))
def test_a_guarded_cell_differs_by_apostrophes_only(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    text = written(tmp_path_factory.getbasetemp() / "formulas", rows)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(each["a"].replace("'", ""), each["b"].replace("'", "")) for each in read] == [
        tuple(sanitize(each[name]).replace("'", "") for name in ("a", "b")) for each in rows
    ]


@pytest.mark.parametrize(
    "start", ["\n", "\r", "\t", ";", "\v", "\x85", "\u2028", ';"', "\n  ", ";\u200b"]
)
@pytest.mark.parametrize("sign", SIGNS)
def test_a_formula_begins_nowhere_within_a_cell(tmp_path: Path, start: str, sign: str) -> None:
    text = written(tmp_path, [{"a": f"x{start}{sign}1+1", "b": "y"}])
    assert [cell for cell in read_anywhere(text) if runs(cell)] == []
    if start[0] in sanitize(start):  # hidden characters are not written at all
        assert f"{start[0]}'" in text


def test_a_comma_is_guarded_only_where_a_line_break_could_end_the_quotes(tmp_path: Path) -> None:
    numbers = ["+14155550100", "+14155550101"]
    plain = written(tmp_path, [{"a": "one line", "b": numbers}])
    assert json.loads(next(csv.DictReader([*plain.splitlines()]))["b"]) == numbers
    broken = written(tmp_path, [{"a": 'x\na,"', "b": "c,=1+1"}])
    assert "c,'=1+1" in broken


def test_lines_of_text_and_blank_ones_stay_as_they_are(tmp_path: Path) -> None:
    lines = "Dear customer,\n\n1 = one\n\nBye; see you"
    text = written(tmp_path, [{"a": lines}])
    assert next(csv.DictReader(io.StringIO(text, newline="")))["a"] == lines


async def test_a_file_that_is_not_whole_comes_with_the_command_that_writes_all(
    exporting: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, skip=1, times=None)
    filters = [*FILTERS, "direction=outbound"]
    told = content_of(await call(exporting, SEARCH, {**WEEK, "filters": filters}))
    expected = (
        "telnyx-account-mcp export detail-records --type messaging --start 2026-06-01 --end 2026-06-08 "
        "--filter direction=outbound --to messaging.csv"
    )
    assert told["note"].endswith(expected)


async def test_the_command_names_the_period_of_a_date_range(
    exporting: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, skip=1, times=None)
    asked = {"record_type": "messaging", "date_range": "last_month", "export": True}
    told = content_of(await call(exporting, SEARCH, asked))
    assert "--period 'last month' --to messaging.csv" in told["note"]


async def test_a_file_that_is_whole_comes_without_a_command(
    exporting: AccountServer, sandbox: Sandbox
) -> None:
    told = content_of(await call(exporting, SEARCH, WEEK))
    assert "telnyx-account-mcp" not in told.get("note", "")
