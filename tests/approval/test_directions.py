"""Where texts send people: to a terminal on their own computer, or to the pages of a team's service."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from telnyx_mcp.approval.change import RECHARGE, Approval, Change, Signatory
from telnyx_mcp.approval.directions import Directions, TerminalDirections
from telnyx_mcp.approval.team.directions import TeamDirections
from telnyx_mcp.approval.team.roles import Roles
from tests.support.changes import change
from tests.support.clock import NOW
from tests.support.team import ADDRESS, ISSUER, roles

ID = "0123456789abcdef"
PAGE = f"{ADDRESS}/changes/{ID}"
TEAM = TeamDirections(ADDRESS, roles)
BOB = Approval(Signatory(ISSUER, "bob", "Bob"), NOW)
EVE = Approval(Signatory(ISSUER, "eve"), NOW)
FOR_TWO = change(amount=Decimal("210.00"), approvers_needed=2)


@pytest.mark.parametrize(
    ("to", "parts"),
    [
        (
            TerminalDirections(),
            (
                "the user",
                "Ask the user to set TELNYX_MCP_EXPORT_DIR to one, and to restart the server.",
                "telnyx-account-mcp ledger link",
                "with `telnyx-account-mcp approve` in a terminal",
                f"with `telnyx-account-mcp approve {ID}` in a terminal",
                f"run `telnyx-account-mcp resolve {ID}` in a terminal, or answer on the page in the "
                "browser where one opens",
                " If the client declined by itself, the user can start the server with "
                "TELNYX_MCP_APPROVAL=browser or =terminal.",
            ),
        ),
        (
            TerminalDirections("work"),
            (
                "the user",
                "Ask the user to set TELNYX_MCP_EXPORT_DIR to one, and to restart the server.",
                "telnyx-account-mcp ledger link --profile work",
                "with `telnyx-account-mcp approve --profile work` in a terminal",
                f"with `telnyx-account-mcp approve {ID} --profile work` in a terminal",
                f"run `telnyx-account-mcp resolve {ID} --profile work` in a terminal, or answer on the "
                "page in the browser where one opens",
                " If the client declined by itself, the user can start the server with "
                "TELNYX_MCP_APPROVAL=browser or =terminal.",
            ),
        ),
        (
            TEAM,
            (
                "the operator of the service",
                "The service of a team writes no files for people: ask for the rows, page by page.",
                "telnyx-account-mcp ledger link",
                f"on {ADDRESS}/changes",
                f"on {PAGE}",
                f"answer on {PAGE}",
                "",
            ),
        ),
    ],
    ids=["terminal", "profile", "team"],
)
def test_people_are_sent_where_they_can_answer(to: Directions, parts: tuple[str, ...]) -> None:
    assert parts == (
        to.operator,
        to.about_files,
        to.command("ledger link"),
        to.approve_at(),
        to.approve_at(ID),
        to.resolve(ID),
        to.after_decline,
    )


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (
            change(),
            f"waits for somebody else (role: treasurer) to approve it on {PAGE}",
        ),
        (
            change(operation=RECHARGE, amount=None),
            f"waits for somebody else (role: lead, treasurer) to approve it on {PAGE}",
        ),
        (FOR_TWO, f"waits for two people (role: treasurer) to approve it on {PAGE}"),
        (
            replace(FOR_TWO, approvals=(BOB,)),
            "was approved by Bob and waits for somebody else (role: treasurer) to approve it on "
            f"{PAGE}",
        ),
        (
            replace(FOR_TWO, approvers_needed=3, approvals=(BOB, EVE)),
            "was approved by Bob, eve and waits for somebody else (role: treasurer) to approve it on "
            f"{PAGE}",
        ),
    ],
    ids=["payment", "setting", "for two", "approved by one", "approved by more"],
)
def test_a_change_of_a_team_names_who_approved_it_and_who_still_can(
    waiting: Change, words: str
) -> None:
    assert TEAM.waits_for(waiting) == words


def test_a_change_of_one_user_waits_for_them_at_the_terminal() -> None:
    assert TerminalDirections("work").waits_for(change()) == (
        "waits for the user, who can approve it with `telnyx-account-mcp approve "
        f"{ID} --profile work` in a terminal"
    )


def test_the_roles_named_are_those_of_today() -> None:
    made = roles()
    to = TeamDirections(ADDRESS, lambda: made)
    made = Roles()
    assert "(role: nobody)" in to.waits_for(change())
