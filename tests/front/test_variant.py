"""Which lists are shown is read as the real server reads it; what is unusual is left to that."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from telnyx_mcp.cli.account import configured_accounts
from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.main import parse
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.front.variant import Variant, variant_of

PROFILES = """
default = "main"

[profiles.eu]
key_from = "env:KEY_EU"
read_only = true
tools = ["usage", "billing"]

[profiles.main]
key_from = "env:KEY_MAIN"
tools = "billing"

[profiles.us]
key_from = "env:KEY_US"
"""


def variant_of_server(arguments: Sequence[str]) -> Variant | None:
    """What the real server would show; None if it would report a setting instead."""
    _, options = parse(arguments)
    try:
        accounts = configured_accounts(options, Terminal(), warn=False)
    except CommandError:
        return None
    main, others = accounts.main, accounts.others
    return Variant(main.tools, main.read_only, (str(main.profile), *others) if others else ())


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home without profiles."""
    for each in ("TELNYX_API_KEY", "TELNYX_MCP_PROFILES"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return {}


@pytest.fixture
def profiles(tmp_path: Path, environment: dict[str, str]) -> Path:
    file = tmp_path / "telnyx-account-mcp" / "profiles.toml"
    file.parent.mkdir()
    file.write_text(PROFILES, encoding="utf-8")
    return file


COMMANDS: Sequence[Sequence[str]] = [
    [],
    ["serve"],
    ["serve", "--read-only"],
    ["--read-only", "--tools", "usage, billing"],
    ["serve", "--tools=audit"],
    ["serve", "--profile", "eu"],
    ["serve", "--profile=us", "--tools", "numbers"],
    ["serve", "--sandbox"],
]
VARIABLES: Sequence[Mapping[str, str]] = [
    {},
    {"TELNYX_API_KEY": "KEY1"},
    {"TELNYX_API_KEY": "KEY1", "TELNYX_MCP_READ_ONLY": "Yes"},
    {"TELNYX_API_KEY": "KEY1", "TELNYX_MCP_READ_ONLY": ""},
    {"TELNYX_API_KEY": "KEY1", "TELNYX_MCP_READ_ONLY": "off", "TELNYX_MCP_TOOLS": "USAGE;audit"},
    {"TELNYX_MCP_TOOLS": "webhooks"},
    {"TELNYX_MCP_PROFILE": "eu", "TELNYX_MCP_TOOLS": "webhooks"},
    {"TELNYX_MCP_PROFILE": "main", "TELNYX_MCP_READ_ONLY": "1"},
    {"TELNYX_MCP_PROFILE": "", "TELNYX_API_KEY": " "},
]


def check(
    arguments: Sequence[str], variables: Mapping[str, str], patch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        patch.setenv(name, value)
    expected = variant_of_server(arguments)
    assert variant_of(arguments, os.environ) == expected


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("environment")
def test_without_profiles_it_is_what_the_server_shows(
    arguments: Sequence[str], variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(arguments, variables, monkeypatch)


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("profiles")
def test_with_profiles_it_is_what_the_server_shows(
    arguments: Sequence[str], variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(arguments, variables, monkeypatch)


@pytest.mark.parametrize(
    "arguments",
    [
        ["call"],
        ["serve", "--http", "8000"],
        ["serve", "--help"],
        ["serve", "--tools"],
        ["serve", "--tools", "biling"],
        ["serve", "--tools", ""],
        ["serve", "--profile="],
        ["serve", "serve"],
        ["--version"],
        ["serve", "--read-only=yes"],
        ["serve", "--read"],
        [""],
    ],
    ids=" ".join,
)
def test_every_other_command_line_is_left_to_the_real_program(arguments: Sequence[str]) -> None:
    assert variant_of(arguments, {"TELNYX_API_KEY": "KEY1"}) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"TELNYX_MCP_READ_ONLY": "perhaps"},
        {"TELNYX_MCP_TOOLS": "everything"},
        {"TELNYX_MCP_PROFILE": "nobody"},
        {"TELNYX_MCP_PROFILE": "eu", "TELNYX_MCP_PROFILES": "/nonexistent/profiles.toml"},
        {"TELNYX_MCP_PROFILES": "/dev"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("environment")
def test_a_setting_that_cannot_be_used_is_left_to_the_real_program(
    variables: Mapping[str, str],
) -> None:
    assert variant_of(["serve"], variables) is None


@pytest.mark.parametrize(
    "content",
    ["[", "default = 3", "[profiles]\na = 1", "a = 1", "[profiles.'a b']", "\x00"],
)
def test_a_profiles_file_that_cannot_be_used_is_left_to_the_real_program(
    content: str, profiles: Path
) -> None:
    profiles.write_text(content, encoding="utf-8")
    assert variant_of([], {}) is None
