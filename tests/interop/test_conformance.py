"""The protocol's own conformance suite, against the server as it is and with fixtures grafted on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from tests.interop.processes import NODE_MODULES, OPEN, OVERLAID, run, serving
from tests.interop.scenarios import (
    EXPECTED_FAILURES,
    LEFT_OUT,
    ON_ANY_SERVER,
    REVISIONS,
    WITH_FIXTURES,
    Revisions,
)
from tests.support.server_process import environment_for

pytestmark = pytest.mark.interop

SUITE = NODE_MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
WRONG = ("FAILURE", "WARNING", "SKIPPED")
Check = dict[str, Any]
Results = Callable[[tuple[str, ...], str], Mapping[str, list[Check]]]


def pairs(scenarios: Mapping[str, Revisions]) -> list[tuple[str, str]]:
    return [(name, revision) for name, revisions in scenarios.items() for revision in revisions]


PASSING = [each for each in pairs(WITH_FIXTURES) if each[0] not in EXPECTED_FAILURES]
FAILING = [each for each in pairs(WITH_FIXTURES) if each[0] in EXPECTED_FAILURES]


@pytest.fixture(scope="session")
def results(node: Path, _one_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The suite's checks by scenario; it is run once per server and revision."""

    @cache
    def checks_of(server: tuple[str, ...], revision: str) -> Mapping[str, list[Check]]:
        folder = tmp_path_factory.mktemp("conformance")
        environment = {**environment_for(_one_sandbox, folder), "HOME": str(folder)}
        asked = ("--suite", "all", "--spec-version", revision, "-o", str(folder / "out"))
        with serving(*server, environment=environment) as url:
            run(node, SUITE, "server", "--url", url, *asked, environment=environment, seconds=120)
        return {
            re.sub(r"^server-(.+)-\d{4}-\d\d-\d\dT[\dZ-]+$", r"\1", file.parent.name): json.loads(
                file.read_text(encoding="utf-8")
            )
            for file in (folder / "out").glob("*/checks.json")
        }

    return checks_of


def wrong(checks: list[Check]) -> list[str]:
    """What failed, was warned of or skipped, in the suite's words."""
    return [
        f"{each['status']} {each['id']}: {each.get('errorMessage')}"
        for each in checks
        if each["status"] in WRONG
    ]


def succeeded(checks: list[Check]) -> list[str]:
    """The scenario's own checks that it passed: that the messages fit the schema is no news."""
    return [
        each["id"]
        for each in checks
        if each["status"] == "SUCCESS" and each["id"] != "wire-schema-valid"
    ]


@pytest.mark.parametrize(("scenario", "revision"), pairs(ON_ANY_SERVER))
def test_the_server_conforms(results: Results, scenario: str, revision: str) -> None:
    checks = results(OPEN, revision)[scenario]
    assert wrong(checks) == []
    assert succeeded(checks)


@pytest.mark.parametrize(("scenario", "revision"), PASSING)
def test_the_server_with_the_fixtures_conforms(
    results: Results, scenario: str, revision: str
) -> None:
    checks = results(OVERLAID, revision)[scenario]
    assert wrong(checks) == []
    assert succeeded(checks)


@pytest.mark.parametrize(("scenario", "revision"), FAILING)
def test_what_is_known_to_fail_still_does(results: Results, scenario: str, revision: str) -> None:
    """When it begins to pass, its row in EXPECTED_FAILURES goes."""
    known = EXPECTED_FAILURES[scenario]
    checks = results(OVERLAID, revision)[scenario]
    failed = {each["id"] for each in checks if each["status"] in WRONG}
    assert failed == set(known.checks), known.reason


def test_every_scenario_is_run_or_left_out_with_its_reason(node: Path, tmp_path: Path) -> None:
    listed = run(node, SUITE, "list", "--server", environment={"HOME": str(tmp_path)}).stdout
    found = {
        (name, revision)
        for name, revisions in re.findall(r"^ +- (\S+) \[([^]]+)\]$", listed, re.MULTILINE)
        for revision in revisions.split(",")
    }
    left_out = {(name, "extension") for name in LEFT_OUT}
    assert found
    assert found == {*pairs(ON_ANY_SERVER), *pairs(WITH_FIXTURES)} | left_out
    assert {revision for _, revision in found} == {*REVISIONS, "extension"}
    assert not ON_ANY_SERVER.keys() & WITH_FIXTURES.keys()
    assert EXPECTED_FAILURES.keys() <= WITH_FIXTURES.keys()


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_suite_ran_just_what_it_lists(results: Results, revision: str) -> None:
    both = {**ON_ANY_SERVER, **WITH_FIXTURES}
    expected = {name for name, revisions in both.items() if revision in revisions}
    assert results(OVERLAID, revision).keys() == expected


async def test_what_is_left_out_or_fails_is_nothing_that_the_server_declares(
    server: AccountServer,
) -> None:
    async with Client(server, mode="legacy") as client:
        declared = client.server_capabilities.model_dump(exclude_none=True)
    assert {"tools", "prompts", "resources", "completions"} == declared.keys() - {"experimental"}
    assert not declared["resources"].get("subscribe")
