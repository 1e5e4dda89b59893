"""The server's name in a client leaves room for every tool's name, and belongs to one profile."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.clients.names import LONGEST_TOOL, MAX_NAME, server_name
from telnyx_mcp.config.profiles_file import NAME
from telnyx_mcp.tools import TOOLS
from tests.support.desk import Desk

profiles = st.from_regex(NAME, fullmatch=True)


def test_the_longest_tool_name_is_known() -> None:
    assert max(len(each.name) for each in TOOLS) == LONGEST_TOOL


@pytest.mark.parametrize(
    ("joined", "limit"),
    [("{server}{tool}", 60), ("{server}:{tool}", 60), ("mcp__{server}__{tool}", 64)],
)
def test_server_and_tool_stay_within_what_clients_take(joined: str, limit: int) -> None:
    for tool in TOOLS:
        assert len(joined.format(server="x" * MAX_NAME, tool=tool.name)) <= limit


@given(profiles)
def test_every_profile_has_a_name_that_fits(profile: str) -> None:
    name = server_name(profile)
    assert re.fullmatch(r"telnyx-[A-Za-z0-9_-]+", name)
    assert len(name) <= MAX_NAME
    assert name != server_name(None)


@given(st.sets(profiles, min_size=2, max_size=20))
def test_no_two_profiles_share_a_name(several: set[str]) -> None:
    assert len({server_name(each) for each in several}) == len(several)


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("eu", "telnyx-eu"),
        ("production", "telnyx-production"),
        ("marketing-emea", "telnyx-marke-550a"),
        ("account", "telnyx-accou-9af2"),  # not the name of the server without a profile
        ("marke-550a", "telnyx-marke-7e99"),  # not the name of another profile that was cut
    ],
)
def test_names_of_profiles(profile: str, name: str) -> None:
    assert server_name(profile) == name


def test_a_wanted_name_is_kept_if_it_fits_and_cut_if_not() -> None:
    assert server_name("eu", "mine") == "mine"
    assert server_name(None, "x" * MAX_NAME) == "x" * MAX_NAME
    cut = {server_name(None, f"{'x' * 20}{number}") for number in range(5)}
    assert len(cut) == 5
    assert {len(each) for each in cut} == {MAX_NAME}


def test_a_name_that_was_cut_is_reported_and_uninstalled_by_the_long_one(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("cursor", name="my-very-long-server-name", yes=True)
    assert list(desk.data("cursor")["mcpServers"]) == ["my-very-long-3795"]
    assert "name there is my-very-long-3795" in capsys.readouterr().err
    desk.uninstall("cursor", name="my-very-long-server-name", yes=True)
    assert desk.data("cursor") == {"mcpServers": {}}
    desk.keys.append("KEYanother")
    desk.install("cursor", name="short", yes=True)
    assert "name there is" not in capsys.readouterr().err


@pytest.mark.usefixtures("profiles")
def test_the_entry_of_another_profile_is_not_replaced(desk: Desk) -> None:
    desk.install("cursor", profile="us", name="mine", yes=True)
    for options in ({"profile": "asia"}, {}):
        with pytest.raises(CommandError, match="server of profile us there"):
            desk.install("cursor", name="mine", yes=True, **options)
    assert desk.entry("cursor", "mine")["args"] == ["serve", "--profile", "us"]
    assert desk.install("cursor", profile="us", name="mine", yes=True, read_only=True) == 0
