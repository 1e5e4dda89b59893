"""`report`: a month as a page and as CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from telnyx_mcp.sandbox import Sandbox
from tests.support.command import Run

MONTH = "2026-05"


def test_the_figures_are_those_of_the_tools_and_the_page_needs_nothing_else(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    page, table = tmp_path / "may.html", tmp_path / "may.csv"
    done = run("report", "--month", MONTH, "--html", str(page), "--csv", str(table))
    assert done.returncode == 0, done.stderr
    called = run("call", "summarize_spend", f"period={MONTH}", "compare_to=previous", "--json")
    spend = json.loads(called.stdout)
    (row,) = spend["spent"]
    html = page.read_text("utf-8")
    difference = spend["compared"]["differences"][0]["charged"]
    for figure in (row["charged"], row["usage"], difference["was"], difference["change"]):
        assert figure in html
    assert "<script" not in html
    assert "http://" not in html
    assert "https://" not in html
    data = table.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\n") == data.count(b"\r\n")
    lines = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    products = {each["name"]: each["amount"] for each in lines if each["part"] == "product"}
    shown = {name: cost for name, cost in row["usage_by_product"].items() if "others" not in name}
    assert shown.items() <= products.items()


def test_a_file_that_exists_is_kept(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "may.html"
    page.write_text("mine")
    assert run("report", "--month", MONTH, "--html", str(page)).returncode == 2
    assert page.read_text() == "mine"


def test_a_report_of_more_than_a_month_or_to_no_file_is_wrongly_called(run: Run) -> None:
    assert run("report", "--month", "2026-Q2", "--html", "x.html").returncode == 2
    assert run("report", "--month", MONTH).returncode == 2
