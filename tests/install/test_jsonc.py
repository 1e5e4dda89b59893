"""One value of a JSON file is changed, and nothing else: not a comment, not a space."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.clients import formats, jsonc
from telnyx_mcp.clients.errors import UnreadableConfig

SERVER = {"command": "/bin/x", "args": [], "env": {"K": "v"}}
PATH = ("mcpServers", "ours")
COMMENTED = """\
// Servers I use
{
    /* not "this": {} */
    "theme": "dark", // at night
    "mcpServers": {
        "other": { "command": "a // no comment", "args": ["-y", "b,"], },
        // "old": {"command": "gone"},
        "last": {
            "command": "c" // the last one
        } // and its end
    },
    "telemetry": false,
}
"""


def test_a_server_is_added_after_the_others_and_their_comments() -> None:
    assert jsonc.put(COMMENTED, PATH, {"command": "d"}) == COMMENTED.replace(
        "        } // and its end\n",
        '        }, // and its end\n        "ours": {\n            "command": "d"\n        }\n',
    )


def test_a_server_that_is_there_is_replaced_where_it_stands() -> None:
    text = COMMENTED.replace('"other"', '"ours"')
    assert jsonc.put(text, PATH, {"command": "d"}) == text.replace(
        '{ "command": "a // no comment", "args": ["-y", "b,"], }',
        '{\n            "command": "d"\n        }',
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n  "a": {\n    "b": 1\n  }\n}'),
        ("  { }\n", '  {\n    "a": {\n      "b": 1\n    }\n  }\n'),
        ('{"x": 1}', '{"x": 1, "a": {"b": 1}}'),
        ('{"a": {}}', '{"a": {\n  "b": 1\n}}'),
        ('{"a": {"c": 2,}}', '{"a": {"c": 2, "b": 1,}}'),
        ('{\n\t"x": 1\n}', '{\n\t"x": 1,\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
        ('{\n\t"x": 1,\n}', '{\n\t"x": 1,\n\t"a": {\n\t\t"b": 1\n\t},\n}'),
        ('{\r\n "x": 1\r\n}', '{\r\n "x": 1,\r\n "a": {\r\n  "b": 1\r\n }\r\n}'),
        ("{\n  // none yet\n}", '{\n  // none yet\n  "a": {\n    "b": 1\n  }\n}'),
        ('{"a": {"b": 7}}', '{"a": {"b": 1}}'),
    ],
)
def test_the_way_the_file_is_written_is_kept(before: str, after: str) -> None:
    assert jsonc.put(before, ("a", "b"), 1) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": 1, "b": 2, "c": 3}', '{"a": 1, "c": 3}'),
        ('{"b": 2, "c": 3}', '{"c": 3}'),
        ('{"a": 1, "b": 2}', '{"a": 1}'),
        ('{"a": 1, "b": 2,}', '{"a": 1,}'),
        ('{"b": 2,}', "{}"),
        ('{\n  "b": 2\n}', "{}"),
        ('{\n  // why\n  "b": 2\n}', "{\n  // why\n}"),
        ('{\n  "a": 1, // one\n  "b": 2 // two\n}', '{\n  "a": 1 // one\n // two\n}'),
        ('{\n  // one\n  "b": 2, "c": 3\n}', '{\n  // one\n  "c": 3\n}'),
        ('{\n  // one\n  "b": 2 }', "{\n  // one\n }"),
        ('{\r\n  // one\r\n  "b": 2, "c": 3\r\n}', '{\r\n  // one\r\n  "c": 3\r\n}'),
        ('{\r\n  "a": 1,\r\n  "b": 2,\r\n  "c": 3\r\n}', '{\r\n  "a": 1,\r\n  "c": 3\r\n}'),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_what_is_taken_out_takes_its_comma_and_its_line_along(before: str, after: str) -> None:
    assert jsonc.take(before, ("b",)) == after


def test_an_item_is_added_to_a_list_and_taken_out_again() -> None:
    text = '{\n  "inputs": [\n    {"id": "a"} // mine\n  ]\n}\n'
    more = jsonc.put(text, ("inputs", 1), {"id": "b"})
    assert jsonc.read(more) == {"inputs": [{"id": "a"}, {"id": "b"}]}
    assert "// mine" in more
    assert jsonc.take(more, ("inputs", 1)) == text
    assert jsonc.read(jsonc.put("{}", ("inputs", 0), "x")) == {"inputs": ["x"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1"),
        ('{"a": 1', "delimiter"),
        ("{'a': 1}", "property name"),
        ('{"a": 1 /* open }', "delimiter"),
        ('{"a": 1} {"b": 2}', "Extra data"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_invalid_json_is_not_read(text: str, said: str) -> None:
    with pytest.raises(UnreadableConfig, match=said):
        jsonc.read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "the file is not of the expected type"),
        ('{"mcpServers": 1}', "mcpServers is not of the expected type"),
        ('{"mcpServers": {}, "mcpServers": {}}', "names something twice"),
        ('"text"', "the file is not of the expected type"),
    ],
)
def test_a_file_of_another_shape_is_not_changed(text: str, said: str) -> None:
    with pytest.raises(UnreadableConfig, match=said):
        jsonc.put(text, PATH, SERVER)


# --- for every file ------------------------------------------------------------------------------

_texts = st.text(max_size=8) | st.sampled_from(['a"b', "//", "/*", ",}", "\\", "ü€"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def written(draw: st.DrawFn, value: Any = None) -> str:
    """A value as somebody might have typed it: spaces, lines, comments, trailing commas."""
    line = draw(st.sampled_from(["\n", "\r\n"]))
    gap = st.sampled_from(["", " ", line + "  ", " // it, is\n", "/* } */", f"\t/*,*/ {line}"])

    def typed(value: Any) -> str:
        if not isinstance(value, dict | list) or not value:
            return json.dumps(value, ensure_ascii=False)
        of = (
            [f"{json.dumps(k)}{draw(gap)}:{draw(gap)}{typed(v)}" for k, v in value.items()]
            if isinstance(value, dict)
            else [typed(each) for each in value]
        )
        inner = ",".join(f"{draw(gap)}{each}{draw(gap)}" for each in of)
        last = draw(st.sampled_from(["", ","]))
        ends = "{}" if isinstance(value, dict) else "[]"
        return ends[0] + inner + last + draw(gap) + ends[1]

    return draw(gap) + typed(value) + draw(gap)


tables = st.dictionaries(_texts, _values, max_size=3)


@given(st.data(), tables, tables | st.none())
def test_only_the_value_meant_is_changed_however_the_file_is_typed(
    data: st.DataObject, others: dict[str, Any], servers: dict[str, Any] | None
) -> None:
    whole = others | ({} if servers is None else {"mcpServers": servers})
    text = data.draw(written(whole))
    assert jsonc.read(text) == whole
    had = whole.get("mcpServers")
    if had is not None and not isinstance(had, dict):
        return
    wanted = whole | {"mcpServers": (had or {}) | {"ours": SERVER}}
    put = jsonc.put(text, PATH, SERVER)
    assert jsonc.read(put) == wanted
    assert list(jsonc.read(put)) == list(wanted)
    assert formats.put("json", put, PATH, SERVER) == put
    taken = jsonc.read(jsonc.take(put, PATH))
    del wanted["mcpServers"]["ours"]
    assert taken == wanted
    if had and "ours" not in had:
        assert jsonc.take(put, PATH) == text


@given(st.data(), tables, st.lists(tables, max_size=3), st.integers(0, 3))
def test_a_value_at_any_place_is_changed_and_taken_out_alone(
    data: st.DataObject, others: dict[str, Any], servers: list[dict[str, Any]], place: int
) -> None:
    named: list[tuple[str, Any]] = [(f"s{number}", each) for number, each in enumerate(servers)]
    named.insert(place, ("ours", SERVER))
    text = data.draw(written(others | {"mcpServers": dict(named)}))
    put = jsonc.put(text, PATH, {"command": "new"})
    changed = {name: {"command": "new"} if name == "ours" else each for name, each in named}
    assert jsonc.read(put) == others | {"mcpServers": changed}
    del changed["ours"]
    for with_it in (text, put):
        assert jsonc.read(jsonc.take(with_it, PATH)) == others | {"mcpServers": changed}
    listed = data.draw(written({"inputs": [each for _, each in named]}))
    assert jsonc.read(jsonc.take(listed, ("inputs", min(place, len(servers))))) == {
        "inputs": servers
    }


def test_a_file_of_a_megabyte_is_changed_in_its_place_alone() -> None:
    history = [{"display": "x" * 200, "pastedContents": {}} for _ in range(15)]
    projects = {f"/home/user/project-{number}": {"history": history} for number in range(300)}
    text = "// kept\n" + json.dumps({"mcpServers": {}, "projects": projects}, indent=2)
    changed = jsonc.put(text, ("mcpServers", "telnyx"), {"command": "telnyx-account-mcp"})
    assert len(text) > 1_000_000
    assert jsonc.read(changed)["projects"] == projects
    assert jsonc.take(changed, ("mcpServers", "telnyx")) == text
