"""`export detail-records`: whole or resumable, and never over a file that exists."""

from __future__ import annotations

import codecs
import errno
import io
import os
import shlex
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.cli.export import export_options, run_export
from telnyx_mcp.cli.main import main, parse
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.exporting import part
from telnyx_mcp.exporting.failure import ExportFailure
from telnyx_mcp.exporting.question import ExportOptions, command_line, question_of
from telnyx_mcp.sandbox import Sandbox
from tests.support import raw_api
from tests.support.clock import NOW
from tests.support.exported_files import Run, files_of, rows_of

FIRST_DAYS = "2026-05-01 to 2026-05-06"
"""100 messages: two pages."""


def interrupted(run: Run, sandbox: Sandbox, target: Path, *, pages: int = 2) -> None:
    """An export that ended after some pages, as the key was refused."""
    sandbox.fault("search_detail_records", "status", status=401, skip=pages, times=None)
    assert run("--to", target) == 1
    sandbox.faults.clear()


@pytest.mark.parametrize("name", ["may.csv", "may.jsonl"])
def test_every_record_of_the_period_is_in_the_file_once(
    run: Run, sandbox: Sandbox, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--to", tmp_path / name) == 0
    truth = raw_api.records(sandbox, "messaging", "created_at", "2026-05-01", "2026-06-01")
    rows = rows_of(tmp_path / name)
    assert sorted(row["uuid"] for row in rows) == sorted(each["uuid"] for each in truth)
    assert sum(Decimal(row["cost"]) for row in rows) == sum(map(raw_api.cost, truth))
    assert files_of(tmp_path) == {name}
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 or os.name == "nt"
    assert f"{len(truth)} messaging records" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["call-control", "amd", "conference-participant", "WIRELESS"])
def test_each_type_is_exported_by_its_own_time(
    run: Run, sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    assert run("--to", tmp_path / "may.csv", kind=kind, period=FIRST_DAYS) == 0
    assert len(rows_of(tmp_path / "may.csv")) == 100


def test_filters_are_those_of_the_search_tool(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    filters = ("--filter", "direction=outbound", "--filter", "cld~+1")
    assert run("--to", tmp_path / "may.csv", *filters) == 0
    truth = raw_api.records(sandbox, "messaging", "created_at", "2026-05-01", "2026-06-01")
    meant = [each for each in truth if each["direction"] == "outbound" and "+1" in each["cld"]]
    assert 0 < len(meant) < len(truth)
    assert {row["uuid"] for row in rows_of(tmp_path / "may.csv")} == {e["uuid"] for e in meant}


def test_a_period_without_records_gives_a_file_without_rows(run: Run, tmp_path: Path) -> None:
    assert run("--to", tmp_path / "may.csv", period="2019-05") == 0
    assert rows_of(tmp_path / "may.csv") == []
    assert (tmp_path / "may.csv").read_bytes().startswith(b'\xef\xbb\xbf"record_type","uuid"')


def test_excel_finds_the_mark_of_utf8_once_and_line_ends_of_windows(
    run: Run, tmp_path: Path
) -> None:
    assert run("--to", tmp_path / "may.csv") == 0
    content = (tmp_path / "may.csv").read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    assert content.count(codecs.BOM_UTF8) == 1
    assert content.count(b"\n") == content.count(b"\r\n") == len(rows_of(tmp_path / "may.csv")) + 1


@pytest.mark.parametrize("name", ["may.csv", "may.jsonl"])
def test_a_resumed_export_is_equal_to_one_that_was_not_interrupted(
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(run, sandbox, tmp_path / name)
    assert files_of(tmp_path) == {f"{name}.part", f"{name}.part.json"}
    said = capsys.readouterr().err
    assert "100 of 620 rows are in" in said
    command = said.partition("To continue: telnyx-account-mcp ")[2].strip()
    before = sandbox.counts["total"]
    assert main(shlex.split(command)) == 0
    assert sandbox.counts["total"] - before == 11, "no page is asked for twice"
    whole = tmp_path / f"whole-{name}"
    assert run("--to", whole) == 0
    assert (tmp_path / name).read_bytes() == whole.read_bytes()


def test_what_a_kill_left_behind_the_last_whole_page_is_cut_off(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    target, whole = tmp_path / "may.csv", tmp_path / "whole.csv"
    interrupted(run, sandbox, target)
    with part.part_of(target).open("ab") as file:
        file.write(b'"message_detail_record","more than all that is still to come' * 10_000)
    part.journal_of(target).with_name("may.csv.part.json.new").write_text("{", encoding="utf-8")
    assert run("--to", target) == 0
    assert run("--to", whole) == 0
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("moment", ["before the move", "after the link", "after the move"])
def test_a_kill_while_the_file_is_moved_loses_nothing(
    run: Run, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "may.csv"

    def killed(*_: object) -> None:
        if moment == "after the link":
            target.hardlink_to(part.part_of(target))
        if moment == "after the move":
            part.part_of(target).rename(target)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(part, "_move", killed)
        with pytest.raises(SystemExit):
            run("--to", target)
    assert part.journal_of(target).exists()
    assert run("--to", target) == 0
    assert files_of(tmp_path) == {"may.csv"}
    assert len(rows_of(target)) == 620


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "verify"},
        {"period": "2026-04"},
        {"more": ("--filter", "direction=outbound")},
        {"more": ("--format", "jsonl")},
    ],
)
def test_another_question_is_not_mixed_into_an_export(
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    other: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "may.csv"
    interrupted(run, sandbox, target)
    before = part.part_of(target).read_bytes()
    more = other.pop("more", ())
    assert isinstance(more, tuple)
    assert run("--to", target, *more, **other) == 1
    assert "belongs to another export" in capsys.readouterr().err
    assert part.part_of(target).read_bytes() == before
    assert run("--to", target, *more, "--restart", **other) == 0


def test_the_records_of_another_key_are_not_mixed_in(
    run: Run, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(run, sandbox, tmp_path / "may.csv")
    monkeypatch.setenv("TELNYX_API_KEY", "KEYofAnotherAccount0123456789")
    assert run("--to", tmp_path / "may.csv") == 1
    assert sandbox.key not in part.journal_of(tmp_path / "may.csv").read_text(encoding="utf-8")


def test_a_file_that_exists_is_replaced_only_if_asked(
    run: Run, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "may.csv"
    target.write_text("mine", encoding="utf-8")
    assert run("--to", target, period=FIRST_DAYS) == 1
    assert "--force" in capsys.readouterr().err
    assert sandbox.counts["total"] == 0
    assert target.read_text(encoding="utf-8") == "mine"
    assert run("--to", target, "--force", period=FIRST_DAYS) == 0
    assert len(rows_of(target)) == 100


def test_a_file_that_appears_meanwhile_is_not_replaced(
    run: Run, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "may.csv"
    move = part._move

    def late(*arguments: object) -> None:
        target.write_text("mine", encoding="utf-8")
        move(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(part, "_move", late)
    assert run("--to", target, period=FIRST_DAYS) == 1
    assert target.read_text(encoding="utf-8") == "mine"
    assert len(rows_of(part.part_of(target))) == 100
    monkeypatch.setattr(part, "_move", move)
    before = sandbox.counts["total"]
    assert run("--to", target, "--force", period=FIRST_DAYS) == 0
    assert sandbox.counts["total"] == before, "it is only moved"
    assert len(rows_of(target)) == 100


def test_a_part_without_a_journal_is_somebody_elses(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "may.csv.part"
    other.write_text("mine", encoding="utf-8")
    assert run("--to", tmp_path / "may.csv") == 1
    assert other.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("damage", ["shorter part", "no part", "unreadable journal"])
def test_a_damaged_part_is_not_gone_on_with(
    run: Run, sandbox: Sandbox, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "may.csv"
    interrupted(run, sandbox, target)
    if damage == "shorter part":
        os.truncate(part.part_of(target), 1000)
    elif damage == "no part":
        part.part_of(target).unlink()
    else:
        part.journal_of(target).write_text('{"rows": 1', encoding="utf-8")
    capsys.readouterr()
    assert run("--to", target) == 1
    assert "--restart" in capsys.readouterr().err
    assert run("--to", target, "--restart") == 0
    assert len(rows_of(target)) == 620


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_in_the_place_of_the_part_is_not_followed(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine", encoding="utf-8")
    (tmp_path / "may.csv.part").symlink_to(other)
    assert run("--to", tmp_path / "may.csv", "--restart") == 1
    assert other.read_text(encoding="utf-8") == "mine"


def test_two_exports_do_not_write_one_file(
    run: Run, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "may.csv"
    interrupted(run, sandbox, target)
    with part.part_of(target).open("rb+") as file:
        part._lock(file, target)
        assert run("--to", target) == 1
        assert run("--to", target, "--restart") == 1
    assert "Another process" in capsys.readouterr().err
    assert run("--to", target) == 0


def test_a_full_disk_ends_the_export_and_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target, whole = tmp_path / "may.csv", tmp_path / "whole.csv"
    with monkeypatch.context() as patched:
        patched.setattr(part, "open_file", lambda path: io.BufferedRandom(FullDisk(path, "w+b")))
        assert run("--to", target) == 1
    said = capsys.readouterr().err
    assert os.strerror(errno.ENOSPC) in said
    assert "To continue:" in said
    assert not target.exists()
    assert part.part_of(target).stat().st_size == FullDisk.room, "a row was torn"
    assert run("--to", target) == 0
    assert run("--to", whole) == 0
    assert target.read_bytes() == whole.read_bytes()


class FullDisk(io.FileIO):
    """A file on a disk that has room for so many bytes, and takes as many."""

    room = 50_000

    def write(self, data: Any) -> int:
        left = self.room - self.tell()
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(data)[:left])


def test_a_running_period_ends_where_it_was_when_the_export_was_started(
    sandbox: Sandbox, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = ExportOptions("messaging", tmp_path / "may.csv", period="this month")
    sandbox.fault("search_detail_records", "status", status=401, skip=2, times=None)
    with pytest.raises(ExportFailure):
        run_export(settings, wish, now=lambda: NOW)
    sandbox.faults.clear()
    assert run_export(settings, wish, now=lambda: NOW + timedelta(hours=3)) == 0
    truth = raw_api.records(
        sandbox, "messaging", "created_at", "2026-06-01", "2026-06-15T11:55:00Z"
    )
    rows = rows_of(tmp_path / "may.csv")
    assert sorted(row["uuid"] for row in rows) == sorted(each["uuid"] for each in truth)
    assert "until 2026-06-15T11:55:00Z, as the period was not over" in capsys.readouterr().out


def test_days_are_those_of_the_zone_and_times_their_own(
    sandbox: Sandbox, settings: Settings, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"timezone": "America/New_York"})
    wish = ExportOptions(
        "messaging", tmp_path / "may.csv", start="2026-05-01", end="2026-05-03T00:00:00Z"
    )
    assert run_export(settings, wish, now=lambda: NOW) == 0
    truth = raw_api.records(
        sandbox, "messaging", "created_at", "2026-05-01T04:00:00Z", "2026-05-03T00:00:00Z"
    )
    assert len(rows_of(tmp_path / "may.csv")) == len(truth) < 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "may.xlsx", "--period", "2026-05"], "--format"),
        (["--to", "may.csv"], "--period"),
        (["--to", "may.csv", "--period", "2026-05", "--start", "2026-05-01"], "--period"),
        (["--to", "may.csv", "--period", "2026-05", "--end", "2026-06-01"], "--start"),
        (["--to", "may.csv", "--period", "smarch"], "smarch"),
        (["--to", "may.csv", "--start", "2026-05-02", "--end", "2026-05-02"], "--end"),
        (["--to", "may.csv", "--start", "2026-05-02T10:00:00"], "offset"),
        (["--to", "may.csv", "--start", "9999-05-02"], "not begun"),
        (["--to", "may.csv", "--period", "2026-05", "--filter", "cost!=1"], "has no filter !="),
        (["--to", "may.csv", "--period", "2026-05", "--filter", "created_at>=2026"], "--start"),
        (["--to", ".", "--format", "csv", "--period", "2026-05"], "folder"),
        (["--to", "may.csv", "--period", "2026-05", "--type", "pigeons"], "messaging"),
    ],
)
def test_mistyped_input_is_reported_and_nothing_is_asked(
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, period="") == 2
    assert said in capsys.readouterr().err
    assert sandbox.counts["total"] == 0
    assert files_of(tmp_path) == set()


def test_without_a_key_it_says_how_to_set_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TELNYX_API_KEY")
    assert run("--to", tmp_path / "may.csv") == 2
    assert "TELNYX_API_KEY" in capsys.readouterr().err


def test_a_refused_key_leaves_no_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("search_detail_records", "status", status=401, times=None)
    assert run("--to", tmp_path / "may.csv") == 1
    assert files_of(tmp_path) == set()


def test_a_file_that_the_finished_export_left_is_reported_again_only_for_its_question(
    settings: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "may.csv"
    wish = ExportOptions("messaging", target, period=FIRST_DAYS)
    assert run_export(settings, wish, now=lambda: NOW) == 0
    other = settings.model_copy(update={"api_key": SecretStr("KEYofAnotherAccount0123456789")})
    with pytest.raises(ExportFailure, match="--force"):
        run_export(other, wish, now=lambda: datetime(2026, 6, 16, tzinfo=UTC))


def test_an_export_without_an_end_goes_on_until_where_it_was_started(
    sandbox: Sandbox, settings: Settings, tmp_path: Path
) -> None:
    wish = ExportOptions("messaging", tmp_path / "may.csv", start="2026-06-08")
    sandbox.fault("search_detail_records", "status", status=401, skip=2, times=None)
    with pytest.raises(ExportFailure):
        run_export(settings, wish, now=lambda: NOW)
    sandbox.faults.clear()
    assert run_export(settings, wish, now=lambda: NOW + timedelta(hours=3)) == 0
    truth = raw_api.records(
        sandbox, "messaging", "created_at", "2026-06-08", "2026-06-15T11:55:00Z"
    )
    assert len(rows_of(tmp_path / "may.csv")) == len(truth)


def test_the_command_that_goes_on_asks_the_same_question(
    settings: Settings, tmp_path: Path
) -> None:
    wish = ExportOptions(
        "messaging",
        tmp_path / "a file",
        period="last month",
        filters=("profile_name~Bob's", "direction=outbound"),
        format="jsonl",
        profile="eu",
        force=True,
    )
    question = question_of(wish, settings, NOW)
    program, *words = shlex.split(command_line(wish, question))
    assert program == "telnyx-account-mcp"
    _, options = parse(words)
    again = export_options(options)
    assert question_of(again, settings, NOW + timedelta(days=40)) == question
    assert (again.to, again.profile, again.force) == (wish.to, "eu", True)


def test_a_missing_folder_is_reported_at_once(
    run: Run, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--to", tmp_path / "nowhere" / "may.csv") == 1
    assert "can't be written" in capsys.readouterr().err
    assert sandbox.counts["total"] == 0


def test_a_sandbox_account_can_be_exported(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "may.csv"
    assert run("--to", target, "--sandbox", kind="conference", period="last week") == 0
    assert rows_of(target)
