"""One table of a TOML file is changed, and nothing else: not a comment, not a space."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telnyx_mcp.clients import toml
from telnyx_mcp.clients.errors import UnreadableConfig

SERVER = {"command": "/bin/x", "args": ["serve"], "env": {"K": "v"}}
PATH = ("mcp_servers", "ours")
WRITTEN = """\
[mcp_servers.ours]
command = "/bin/x"
args = ["serve"]

[mcp_servers.ours.env]
K = "v"
"""
MINE = """\
# my own notes
# two lines
[tui]
z = 1 # one
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", WRITTEN),
        ('model = "o"\n', f'model = "o"\n\n{WRITTEN}'),
        ("[tui]\nz = 1", f"[tui]\nz = 1\n\n{WRITTEN}"),
        (f'[mcp_servers.ours]\ncommand="old"\n\n{MINE}', f"{WRITTEN}\n{MINE}"),
        (f'# ours\n[mcp_servers."ours"] # old\nx = 1\n{MINE}', f"# ours\n{WRITTEN}{MINE}"),
        (
            f'[mcp_servers.ours]\n[tui]\nz=1\n\n[mcp_servers.p.env]\nB="c"\n\n{WRITTEN[-31:]}',
            f'{WRITTEN}[tui]\nz=1\n\n[mcp_servers.p.env]\nB="c"\n',
        ),
        (
            '[mcp_servers]\nours = {command = "x"}\no = {command = "y"}\n',
            f'[mcp_servers]\no = {{command = "y"}}\n\n{WRITTEN}',
        ),
        (
            '[mcp_servers]\nours.command = "x"\nours.args = [\n"[a]" ]\n# mine\n',
            f"[mcp_servers]\n# mine\n\n{WRITTEN}",
        ),
    ],
)
def test_it_is_put_where_it_stands_or_at_the_end(before: str, after: str) -> None:
    assert toml.put(before, PATH, SERVER) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (WRITTEN, ""),
        (f"a = 1\n\n{WRITTEN}", "a = 1\n"),
        (f"a = 1\n\n{WRITTEN}\n{MINE}", f"a = 1\n\n{MINE}"),
        (f"# ours\n{WRITTEN}{MINE}", f"# ours\n{MINE}"),
        ('[[x]]\na = """\n[mcp_servers.ours]\n"""\n', '[[x]]\na = """\n[mcp_servers.ours]\n"""\n'),
        ("[mcp_servers.ours]\na = '''\n[no]\n'''\n[b]\n", "[b]\n"),
        ("[mcp_servers.'ours']\nk = 1\n[mcp_servers.ours2]\n", "[mcp_servers.ours2]\n"),
        ("mcp_servers.ours.command = 'x' # =\nb = 1\n", "b = 1\n"),
    ],
)
def test_it_is_taken_out_wherever_it_is_written(before: str, after: str) -> None:
    assert toml.take(before, PATH) == after
    windows = toml.take(before.replace("\n", "\r\n"), PATH)
    assert windows == after.replace("\n", "\r\n")


@pytest.mark.parametrize("text", ["mcp_servers = 1", "[[mcp_servers]]"])
def test_a_file_of_another_shape_is_not_changed(text: str) -> None:
    with pytest.raises(UnreadableConfig, match="mcp_servers is not a table"):
        toml.put(text, PATH, SERVER)


# --- for every file ------------------------------------------------------------------------------

_values = st.sampled_from(
    [
        "1",
        '"a # [b]"',
        "'[c]'",
        '"""\n[mcp_servers.ours]\n"\\""" # it',
        "'''\n# [d]\n''''",
        "[\n  1, # one ]\n  [2],\n]",
        '{ env = { "K = }" = "{" } }',
        "1979-05-27 # day",
    ]
)
_tables = st.sampled_from(
    [
        "tui",
        "mcp_servers",
        "mcp_servers.p",
        "mcp_servers.p.env",
        'mcp_servers."ours.env"',
        "mcp_servers.ours2",
        "mcp_servers.ours",
        'mcp_servers . "ours" . env',
        "'mcp_servers'.ours.tools.t",
    ]
)
_pairs = st.sampled_from(["a", "b", '"ours"', "ours.c", '"#=".ours', "mcp_servers.ours.c"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file as somebody might have typed it: tables in any order, comments, empty lines."""

    def between() -> str:
        return draw(st.sampled_from(["", "", "\n", "# mine\n", "\n\n  # [theirs]\n"]))

    def pairs() -> str:
        keys = draw(st.lists(_pairs, max_size=2, unique=True))
        return "".join(f"{between()}{key} = {draw(_values)}\n" for key in keys)

    text = pairs()
    for table in draw(st.lists(_tables, max_size=5, unique=True)):
        text += f"{between()}[{table}]\n{pairs()}"
    text += between()
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def without_ours(data: dict[str, Any]) -> dict[str, Any]:
    servers = {name: each for name, each in data["mcp_servers"].items() if name != "ours"}
    rest = {name: each for name, each in data.items() if name != "mcp_servers"}
    return rest | ({"mcp_servers": servers} if servers else {})


@given(files())
def test_only_the_table_meant_is_changed_however_the_file_is_typed(text: str) -> None:
    try:
        data = {"mcp_servers": {}} | tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    others = without_ours(data)
    taken = toml.take(text, PATH)
    assert without_ours({"mcp_servers": {}} | tomllib.loads(taken)) == others
    assert "ours" not in tomllib.loads(taken).get("mcp_servers", {})
    put = toml.put(text, PATH, SERVER)
    try:
        after = tomllib.loads(put)
    except tomllib.TOMLDecodeError:
        assert "mcp_servers.ours.c =" in text  # no header may add to what pairs have made
        return
    assert after["mcp_servers"]["ours"] == SERVER
    assert without_ours(after) == others
    assert toml.put(put, PATH, SERVER) == put
    if "ours" not in data["mcp_servers"]:
        assert toml.take(put, PATH).strip() == text.strip()
        lines = [line for line in text.splitlines() if line not in put]
        assert lines == []
        assert ("\r\n" in put) == ("\r\n" in text)
        assert put.count("\n") - put.count("\r\n") in {0, put.count("\n")}
