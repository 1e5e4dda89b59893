"""The workflows and issue forms of .github/ are YAML of the right form, and take nothing unpinned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    each for each in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if each.name != "config.yml"
)


def parsed(file: Path) -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[Any, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def name_of(file: Path) -> str:
    return file.stem


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(file: Path) -> None:
    uses = re.findall(r"uses: (.+)$", file.read_text("utf-8"), re.MULTILINE)
    assert uses
    for each in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_a_workflow_may_only_read_and_has_no_secret(file: Path) -> None:
    workflow = parsed(file)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in file.read_text("utf-8")
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 120
        assert {"uses", "run"} & set().union(*job["steps"])
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_no_text_of_strangers_gets_into_a_command(file: Path) -> None:
    for job in parsed(file)["jobs"].values():
        assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


def test_one_workflow_runs_everything_and_one_stops_before_the_upload() -> None:
    checks, release = (
        parsed(GITHUB / "workflows" / f"{name}.yml") for name in ("checks", "release")
    )
    assert ".ci/run" in [step.get("run") for step in checks["jobs"]["everything"]["steps"]]
    commands = [step.get("run", "") for step in release["jobs"]["build"]["steps"]]
    assert "make release-check" in commands
    assert not re.search("twine|publish|pypi", " ".join(commands))


@pytest.mark.parametrize("file", FORMS, ids=name_of)
def test_a_form_asks_and_warns_of_keys(file: Path) -> None:
    form = parsed(file)
    assert {"name", "description", "body"} <= form.keys()
    first, *asked = form["body"]
    assert first["type"] == "markdown"
    assert "API key" in first["attributes"]["value"]
    ids = [each["id"] for each in asked]
    assert len(set(ids)) == len(ids)
    for each in asked:
        assert each["type"] in {"input", "textarea"}
        assert each["attributes"]["label"]
