"""The command line: which commands there are, and how they end. A command is imported when it is run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from telnyx_mcp import __version__
from telnyx_mcp.cli.errors import INTERRUPTED, NOT_DONE, CommandError
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.process.stderr import guard_stderr
from telnyx_mcp.process.stdin import guard_stdin
from telnyx_mcp.process.stdout import drop_stdout, guard_stdout

if TYPE_CHECKING:
    from telnyx_mcp.front.opening import Opening

_DESCRIPTION = """\
An MCP server through which an AI assistant works with your Telnyx account.
Not affiliated with Telnyx.

Without a command it serves MCP on stdin and stdout, as an assistant starts it.
The API key is read from the environment variable TELNYX_API_KEY."""

_EPILOG = """\
examples:
  telnyx-account-mcp install claude-desktop   put it into your assistant
  telnyx-account-mcp doctor                   is everything in place?
  telnyx-account-mcp demo                     see what it does, on a sandbox account
  telnyx-account-mcp serve --read-only        nothing that could change the account
  telnyx-account-mcp serve --tools billing    only the tools for billing
  telnyx-account-mcp call get_balance         ask one thing, without an assistant
  telnyx-account-mcp call --sandbox list_invoices page_size=3
  telnyx-account-mcp export detail-records --type messaging --period 2026-05 --to may.csv
  telnyx-account-mcp report --month 2026-05 --html may.html
  telnyx-account-mcp approve                  answer what an assistant proposed
  telnyx-account-mcp service --check          what service.toml would serve to a team
  telnyx-account-mcp ledger                   changes made or proposed, and their outcomes"""

STATUSES = "exit status: 0 done, 1 not done (the text says why), 2 wrongly called, 130 interrupted"

COMMANDS: Mapping[str, str] = {
    "serve": "serve MCP (the default command)",
    "service": "serve MCP to a team that signs in, over HTTP",
    "call": "call one tool and print its result",
    "export": "write all detail records of a period to a file, however many",
    "report": "write what a month cost, as a page for the accountant or as CSV",
    "demo": "watch an assistant's questions being answered",
    "doctor": "try everything it needs, and say what is wrong",
    "approve": "approve or decline what an assistant proposed",
    "ledger": "changes made or proposed, and their outcomes",
    "resolve": "record the outcome of a change whose outcome is unknown",
    "install": "put this server into an assistant",
    "uninstall": "remove it again",
    "key": "put the API key into the system's keyring, or remove it",
    "sandbox": "serve a sandbox Telnyx account over HTTP",
}
"""Each command, and what it does. Its module in this package has the same name."""


class Command(Protocol):
    """What a command's module holds. Its docstring's paragraphs after the first are its help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace, terminal: Terminal) -> int:
        """Returns the exit status. Raises `CommandError`."""


def main(
    arguments: Sequence[str] | None = None,
    terminal: Terminal | None = None,
    opening: Opening | None = None,
) -> int:
    """Runs one command. Returns its exit status, as `STATUSES` says. `opening` is for `serve`: what its
    client has said so far."""
    guard_stderr()
    guard_stdout()
    guard_stdin()
    try:
        try:
            given = [as_utf8(each) for each in sys.argv[1:]] if arguments is None else arguments
            if given and given[0] in _COMPLETING:
                return complete(given, terminal or Terminal())
            name, options = parse(given)
            options.opening = opening
            return command(name).run(options, terminal or Terminal())
        finally:
            sys.stdout.flush()  # a failure to write is noticed here, not when Python has ended
    except CommandError as error:
        sys.stderr.write(f"telnyx-account-mcp: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\ntelnyx-account-mcp: stopped\n")
        return INTERRUPTED
    except UnicodeEncodeError:
        sys.stderr.write(
            "telnyx-account-mcp: the locale of this shell has no letters for a name that was given, such "
            "as a file's. Set PYTHONUTF8=1 (or LC_ALL=C.UTF-8), and run this again.\n"
        )
        return NOT_DONE
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # the reader of stdout may stop at any time
            sys.stderr.write(f"telnyx-account-mcp: {error}\n")
        drop_stdout()
        return NOT_DONE


def as_utf8(argument: str) -> str:
    """The argument as it was typed, where the locale could not read its bytes, as in LC_ALL=C."""
    if argument.isascii() or all(ord(each) not in range(0xDC80, 0xDD00) for each in argument):
        return argument
    return os.fsencode(argument).decode(errors="replace")


_COMPLETING = ("--completion", "--completing")


def complete(given: Sequence[str], terminal: Terminal) -> int:
    """`--completion SHELL` prints the shell's script, which calls `--completing LINE`. Returns 0."""
    from telnyx_mcp.cli.completion import SCRIPTS, completions

    value = " ".join(given[1:])
    if given[0] == "--completing":
        name = next((each for each in value.split(" ")[1:-1] if each in COMMANDS), None)
        parsers = {name: _parsers(name)[1][name]} if name else {}
        found = completions(value, COMMANDS, parsers)
        terminal.write("".join(f"{each}\n" for each in found))
        return 0
    if value not in SCRIPTS:
        raise CommandError(f"--completion takes {', '.join(SCRIPTS)}; got {value!r}")
    terminal.write(SCRIPTS[value])
    return 0


def command(name: str) -> Command:
    """The module of a command."""
    return cast("Command", import_module(f"telnyx_mcp.cli.{name}"))


def parse(arguments: Sequence[str]) -> tuple[str, argparse.Namespace]:
    """The command and its options. Ends the process with status 2 for what can't be parsed."""
    given = list(arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given = ["serve", *given]
    options = _parsers(given[0])[0].parse_args(given)
    return given[0], options


def _parsers(
    chosen: str,
) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser of all commands, and that of each by its name. Only the chosen one has its arguments:
    for those of the others their modules would have to be imported."""
    parser = argparse.ArgumentParser(
        prog="telnyx-account-mcp",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--completion",
        metavar="SHELL",
        help="print a script for completion in bash, zsh or fish; for example: "
        'eval "$(telnyx-account-mcp --completion bash)"',
    )
    parser.add_argument("--version", action="version", version=f"telnyx-account-mcp {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name, text in COMMANDS.items():
        module = command(name) if name == chosen else None
        about = (module.__doc__ or "").partition("\n\n")[2].strip() if module else ""
        one = parsers[name] = commands.add_parser(
            name,
            help=text,
            description=about or f"{text[0].upper()}{text[1:]}.",
            epilog=STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            conflict_handler="resolve",  # `call` has a --help of its own
        )
        if module:
            module.add_arguments(one)
    return parser, parsers
