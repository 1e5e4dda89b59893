"""Completion of the command line in bash, zsh and fish.

The shell asks the program itself what may follow, so that a script that was installed once knows
every later command, tool and argument.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence

SCRIPTS: Mapping[str, str] = {
    "bash": """\
_telnyx_account_mcp() {
    local line="${COMP_LINE:0:COMP_POINT}" current each
    current="${line##* }"
    COMPREPLY=()
    while IFS= read -r each; do
        # bash replaces only what follows the last `=`.
        COMPREPLY+=("${each#"${current%"${current##*=}"}"}")
    done < <(telnyx-account-mcp --completing "$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _telnyx_account_mcp telnyx-account-mcp
""",
    "zsh": """\
#compdef telnyx-account-mcp
_telnyx_account_mcp() {
    local -a found
    found=("${(@f)$(telnyx-account-mcp --completing "$LBUFFER" 2>/dev/null)}")
    compadd -S '' -- "${(@M)found:#*=}"
    compadd -- "${(@)found:#*=}"
}
compdef _telnyx_account_mcp telnyx-account-mcp
""",
    "fish": """\
function __telnyx_account_mcp
    telnyx-account-mcp --completing (commandline -cp | string collect) 2>/dev/null
end
complete -c telnyx-account-mcp -f -a '(__telnyx_account_mcp)'
""",
}
"""The script of each shell."""


def completions(
    line: str, commands: Mapping[str, str], parser_of: Mapping[str, argparse.ArgumentParser]
) -> list[str]:
    """What the last word of the line may become, each with the whole word."""
    _, *words = line.split(" ")
    typed = [word for word in words[:-1] if word]
    last = words[-1] if words else ""
    return sorted(
        {each for each in _candidates(typed, commands, parser_of) if each.startswith(last)}
    )


def _candidates(
    typed: Sequence[str],
    commands: Mapping[str, str],
    parser_of: Mapping[str, argparse.ArgumentParser],
) -> Iterator[str]:
    if not typed:
        yield from commands
        yield from ("--help", "--version", "--completion")
        return
    if typed == ["--completion"]:
        yield from SCRIPTS
        return
    name, *rest = typed
    if name not in commands:
        return
    words = [each for each in rest if not each.startswith("-")]
    if name == "call":
        yield from _of_call(words)
    # The parser lists its options and the values of its arguments only in its help.
    text = parser_of[name].format_help()
    yield from re.findall(r"--[a-z][a-z-]+", text)
    for choices in re.findall(r"\{([\w,.-]+)\}", text):
        yield from choices.split(",")
    if name in {"install", "uninstall"} and not words:
        from telnyx_mcp.clients.catalog import CLIENTS

        yield from CLIENTS


def _of_call(words: Sequence[str]) -> Iterator[str]:
    """The tools, with and without their prefix, or the arguments of the tool that is named."""
    from telnyx_mcp.tools import TOOLS
    from telnyx_mcp.tools.framework.spec import PREFIX, full_name

    names = {each.name: each for each in TOOLS}
    if not words:
        yield from names
        yield from (each.removeprefix(PREFIX) for each in names)
        return
    if (tool := names.get(full_name(words[0]))) is None:
        return
    for argument, schema in tool.input_schema["properties"].items():
        yield f"{argument}="
        values = schema.get("enum") or schema.get("items", {}).get("enum") or ()
        yield from (f"{argument}={each}" for each in values)
        if schema.get("type") == "boolean":
            yield from (f"{argument}=true", f"{argument}=false")
