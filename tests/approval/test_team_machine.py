"""What must stay true of a team's ledger whatever its people do, and in whatever order."""

from __future__ import annotations

import os

import pytest

from tests.support.ledger_machine import run
from tests.support.team_machine import TeamMachine, TeamOnPostgresql, TeamOnSqlite

MACHINES = [
    pytest.param(TeamOnSqlite, id="sqlite"),
    pytest.param(
        TeamOnPostgresql,
        id="postgresql",
        marks=pytest.mark.skipif(
            "TEST_POSTGRES_URL" not in os.environ, reason="TEST_POSTGRES_URL is not set"
        ),
    ),
]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_teams_ledger_keeps_its_promises(machine: type[TeamMachine]) -> None:
    run(machine, examples=10, steps=25)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_a_teams_ledger_keeps_its_promises_for_long(machine: type[TeamMachine]) -> None:
    run(machine, examples=15, steps=40, shrink=True)
