"""The command line. Nothing heavy is imported before the command that needs it."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from telnyx_mcp import __version__
from telnyx_mcp.config.tool_groups import TOOL_GROUPS, ToolGroup, tool_groups
from telnyx_mcp.process.stderr import guard_stderr
from telnyx_mcp.process.stdout import drop_stdout, guard_stdout

if TYPE_CHECKING:
    from telnyx_mcp.config.profiles import ConfiguredAccounts
    from telnyx_mcp.config.settings import Settings
    from telnyx_mcp.exporting.question import ExportOptions

_DESCRIPTION = """\
An MCP server through which an AI assistant works with your Telnyx account.
Not affiliated with Telnyx.

Without a command it serves MCP on stdin and stdout, as an assistant starts it.
The API key is read from the environment variable TELNYX_API_KEY."""

_EPILOG = """\
examples:
  telnyx-account-mcp install claude-desktop   put it into your assistant
  telnyx-account-mcp doctor                   is everything in place?
  telnyx-account-mcp demo                     see what it does, on a pretend account
  telnyx-account-mcp serve --read-only        nothing that could change the account
  telnyx-account-mcp call telnyx_get_balance  ask one thing, without an assistant
  telnyx-account-mcp call --sandbox telnyx_list_invoices page_size=3
  telnyx-account-mcp export detail-records --type messaging --period 2026-05 --to may.csv
  telnyx-account-mcp approve                  answer what an assistant proposed
  telnyx-account-mcp ledger                   what was changed or proposed, and what came of it"""

_APPROVE = """\
Shows what an assistant proposed and what waits for your approval, and asks you about one change:
the only one, or the one you name. Type the largest sum that can be charged to approve, or `yes` where
nothing can be. Withdraws an approval that was not used yet. Needs a real terminal. Sends nothing by
itself: the assistant calls again after you approved.
"""
_LEDGER = """\
Lists the changes of the configured account, newest first; with an ID, one of them in full: the
question word for word, who approved it and how, when it was sent, what came of it, and the evidence.
`ledger link` links a new API key to its account: caps, references and unknown payments stay.
`ledger accept` goes on with a ledger that was replaced or restored from a backup, after you looked.
"""
_RESOLVE = """\
Records what came of a change whose outcome is unknown, after you looked into the Mission Control
Portal. While a payment is unknown, no other is made. Shows the evidence, asks what you found unless
--paid or --not-paid says it, and asks you to confirm.
"""
_EXPORT = """\
Writes all detail records of one type and period to a file: CSV or JSON Lines, as its name ends in
.csv or .jsonl. Telnyx gives 2,000 records a minute, so a large export runs for hours. Rows go to
FILE.part; Ctrl-C, a kill or a lost network loses none: the same command goes on where it stopped. At
the end their number is checked against Telnyx's, and the file gets its name.
"""
_CLIENTS = "claude-desktop, claude-code, cursor, vscode, windsurf, zed, gemini or codex"
_INSTALL = """\
Writes this server into the client's own configuration file: shows the change first, asks, keeps a
backup, and touches nothing else in the file. The key is asked for without showing it. It goes into
the system's keyring where the extra `keyring` is installed and there is one, so that no file holds
it; else into the client's file, which only you may read then. VS Code asks for it by itself and keeps
it, unless --key says keyring.
"""
_UNINSTALL = """\
Takes this server out of the client's own configuration file again. Shows the change first, asks,
keeps a backup, and touches nothing else.
"""
_STATUSES = "exit status: 0 done, 1 not done (the text says why), 2 wrongly called"


class CommandError(Exception):
    """The command can't be carried out; its text says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns its exit status: 0 done, 1 failed, 2 wrongly called."""
    guard_stderr()
    guard_stdout()
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # what can't be written is noticed here, not when Python has ended
    except CommandError as error:
        sys.stderr.write(f"telnyx-account-mcp: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\ntelnyx-account-mcp: stopped\n")
        return 130
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # whoever read stdout may stop when they like
            sys.stderr.write(f"telnyx-account-mcp: {error}\n")
        drop_stdout()
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given = ["serve", *given]
    options = parser.parse_args(given)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telnyx-account-mcp",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"telnyx-account-mcp {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve MCP (the default command)")
    serve.add_argument("--http", metavar="HOST:PORT", help="Streamable HTTP on loopback, not stdio")
    token = serve.add_mutually_exclusive_group()
    token.add_argument(
        "--token-file",
        metavar="PATH",
        help="with --http: a file with the token that clients send; created if missing",
    )
    token.add_argument(
        "--no-token",
        action="store_true",
        help="with --http: answer every user and program of this computer",
    )
    _account_options(serve)
    serve.set_defaults(command=_serve)

    call = commands.add_parser("call", help="call one tool and print its result")
    call.add_argument("tool", metavar="TOOL", nargs="?", help="without one: what there is")
    call.add_argument("pairs", metavar="key=value", nargs="*", help="the tool's arguments")
    call.add_argument("--json", action="store_true", help="print the result as JSON")
    _account_options(call)
    call.set_defaults(command=_call)

    _export_command(commands)

    demo = commands.add_parser("demo", help="watch an assistant's questions being answered")
    demo.set_defaults(command=_demo)

    doctor = commands.add_parser("doctor", help="try everything it needs, and say what is wrong")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument(
        "--clear-pace",
        action="store_true",
        help="first open what an answer of too many requests (429) closed, for all copies on the key",
    )
    _account_options(doctor)
    doctor.set_defaults(command=_doctor)

    _ledger_commands(commands)
    _install_commands(commands)

    sandbox = commands.add_parser("sandbox", help="serve a pretend Telnyx account over HTTP")
    sandbox.add_argument("--host", default="127.0.0.1", help="a loopback address")
    sandbox.add_argument("--port", type=int, default=8765, help="0 picks a free one")
    sandbox.add_argument("--seed", type=int, default=7, help="another seed, another account")
    sandbox.add_argument("--today", metavar="YYYY-MM-DD", help="the account's today")
    sandbox.add_argument(
        "--records-per-month", type=int, metavar="N", help="detail records a month, of all types"
    )
    sandbox.add_argument(
        "--latency",
        type=_milliseconds,
        default=0,
        metavar="MS",
        help="how long an answer takes: 150ms",
    )
    sandbox.set_defaults(command=_sandbox)
    return parser


def _export_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser(
        "export",
        help="write all detail records of a period to a file, however many",
        description=_EXPORT,
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("what", choices=("detail-records",), help="what to export")
    export.add_argument("--type", required=True, help="messaging, call-control, verify, ...")
    export.add_argument("--period", help="2026-05, 2026-Q2, last month, last 7 days, ...")
    export.add_argument("--start", metavar="TIME", help="or: the first day, or a time with offset")
    export.add_argument("--end", metavar="TIME", help="the day after the last one (until now)")
    export.add_argument(
        "--filter",
        metavar="FILTER",
        action="append",
        default=[],
        help="field=value, field>=value, field<value or field~text (contains); repeatable",
    )
    export.add_argument("--to", metavar="FILE", required=True, help="the file to write")
    export.add_argument("--format", choices=("csv", "jsonl"), help="if FILE does not say it")
    export.add_argument("--force", action="store_true", help="replace FILE if it exists")
    export.add_argument(
        "--restart", action="store_true", help="begin anew; drop what FILE.part has"
    )
    _profile_option(export)
    export.add_argument("--sandbox", action="store_true", help="use a pretend account of its own")
    # It changes nothing at Telnyx, and uses no tools.
    export.set_defaults(command=_export, read_only=True, tools=None)


def _ledger_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from telnyx_mcp.approval.change import State

    def add(name: str, help: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help,
            description=description,
            epilog=_STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    approve = add("approve", "approve or decline what an assistant proposed", _APPROVE)
    approve.add_argument("id", metavar="ID", nargs="?", help="which one, if several wait")
    approve.set_defaults(command=_approve)

    ledger = add("ledger", "what was changed or proposed, and what came of it", _LEDGER)
    ledger.add_argument(
        "id", metavar="ID", nargs="?", help="show this one in full; `link`, `accept`: see above"
    )
    ledger.add_argument("--json", action="store_true", help="print complete records as JSON")
    ledger.add_argument("--limit", metavar="N", type=_count, default=20, help="how many (20)")
    ledger.add_argument(
        "--state",
        metavar="STATE",
        choices=[str(each) for each in State],
        type=_state,
        help=f"only these: {', '.join(State)}",
    )
    ledger.set_defaults(command=_ledger)

    resolve = add("resolve", "say what came of an unknown payment", _RESOLVE)
    resolve.add_argument("id", metavar="ID", help="as `ledger` shows it")
    found = resolve.add_mutually_exclusive_group()
    found.add_argument("--paid", action="store_true", default=None, help="it happened")
    found.add_argument("--not-paid", dest="paid", action="store_false", help="it did not happen")
    resolve.add_argument("--note", metavar="TEXT", default="", help="how you know; kept with it")
    resolve.set_defaults(command=_resolve)

    for each in (approve, ledger, resolve):
        _profile_option(each)


def _install_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, what, description in (
        ("install", "put this server into an assistant", _INSTALL),
        ("uninstall", "take it out again", _UNINSTALL),
    ):
        command = commands.add_parser(
            name,
            help=what,
            description=description,
            epilog=_STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("client", metavar="CLIENT", help=_CLIENTS)
        command.add_argument(
            "--name", metavar="NAME", help="the server's name there (telnyx-account)"
        )
        _profile_option(command)
        command.add_argument("--print", action="store_true", help="only show it; write nothing")
        command.add_argument("--yes", action="store_true", help="write it without asking")
        command.set_defaults(command=_install, action=name)
        if name == "install":
            command.add_argument(
                "--read-only", action="store_true", help="refuse and hide every change"
            )
            _tools_option(command)
            command.add_argument(
                "--key",
                choices=("keyring", "client"),
                help="where the key goes: the system's keyring (the default where there is one, but "
                "for VS Code), or where the client keeps secrets",
            )
            command.add_argument(
                "--env",
                metavar="NAME=VALUE",
                action="append",
                default=[],
                help="a setting; repeatable",
            )

    key = commands.add_parser("key", help="put the API key into the system's keyring, or remove it")
    key.add_argument(
        "action", choices=("set", "remove"), help="`set` asks for it; nothing is shown"
    )
    _profile_option(key)
    key.add_argument(
        "--from-env", metavar="VARIABLE", help="with `set`: take it from there, instead of asking"
    )
    key.add_argument(
        "--base-url",
        metavar="URL",
        help="the address that the key is for, if it is not Telnyx's own or the profile's",
    )
    key.set_defaults(command=_key)


def _profile_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", metavar="NAME", help="which account of the profiles file")


def _account_options(parser: argparse.ArgumentParser) -> None:
    _profile_option(parser)
    parser.add_argument("--read-only", action="store_true", help="refuse and hide every change")
    _tools_option(parser)
    parser.add_argument("--sandbox", action="store_true", help="use a pretend account of its own")


def _tools_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tools",
        metavar="GROUP,...",
        type=_groups,
        help=f"load these groups of tools only: {', '.join(TOOL_GROUPS)}",
    )


def _groups(text: str) -> tuple[ToolGroup, ...]:
    try:
        return tool_groups(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"a number from 1 to 10000, not {text!r}")
    return int(text)


def _state(text: str) -> str:
    return text.lower().replace("-", "_")


def _accounts(options: argparse.Namespace) -> ConfiguredAccounts:
    """The account that is meant, and the others, which a sandbox has none of. Keys are not looked
    up yet. Says on stderr what is set and has no effect."""
    from telnyx_mcp.config.environment import misspelt, warnings
    from telnyx_mcp.config.profiles import SettingsError, configured

    try:
        accounts = configured(options.profile)
    except SettingsError as error:
        raise CommandError(f"{error}. Nothing was started.") from None
    if options.command is not _doctor:  # which reports them as findings
        found = misspelt(os.environ, [accounts.main, *accounts.others.values()])
        for each in (*accounts.notes, *warnings(found)):
            sys.stderr.write(f"telnyx-account-mcp: {each}\n")
        sys.stderr.flush()
    return replace(accounts, others={}) if getattr(options, "sandbox", False) else accounts


def _serve(options: argparse.Namespace) -> int:
    # Importing builds many thousand objects that all stay: collecting garbage meanwhile is a
    # quarter of the start.
    gc.disable()
    import anyio

    from telnyx_mcp.server.build import build_server, serve_stdio

    if (options.token_file or options.no_token) and not options.http:
        raise CommandError("--token-file and --no-token go with --http")
    address = _address(options.http) if options.http else None
    accounts = _accounts(options)
    gc.enable()
    gc.freeze()

    def run(settings: Settings) -> int:
        if address:
            return _serve_http(options, address, settings, accounts.others)
        if sys.stdin.isatty():
            sys.stderr.write(
                "telnyx-account-mcp: serving MCP on stdin and stdout, for an assistant to "
                "start. To see what it does: telnyx-account-mcp demo\n"
            )
        anyio.run(serve_stdio, build_server(settings, others=accounts.others))
        return 0

    return _with_account(options, accounts.main, run)


def _serve_http(
    options: argparse.Namespace,
    address: tuple[str, int],
    settings: Settings,
    others: Mapping[str, Settings],
) -> int:
    from pathlib import Path

    import anyio

    from telnyx_mcp.server.build import build_server
    from telnyx_mcp.server.http import serve_http
    from telnyx_mcp.server.http_token import TokenError, find_token

    file = Path(options.token_file).expanduser() if options.token_file else None
    try:
        token = find_token(settings.http_token, file, wanted=not options.no_token)
    except TokenError as error:
        raise CommandError(f"{error}. Nothing was started.") from None
    if token is None:  # a budget that anybody could spend
        settings = settings.model_copy(update={"standing_budget_per_payment": Decimal(0)})
    server = build_server(settings, others=others, client_may_answer=token is not None)
    anyio.run(serve_http, server, *address, token)
    return 0


def _with_account(
    options: argparse.Namespace, settings: Settings, run: Callable[[Settings], int]
) -> int:
    """Runs with the user's account, or with a sandbox and a ledger that live as long."""
    if options.read_only:
        settings = settings.model_copy(update={"read_only": True})
    if options.tools:
        settings = settings.model_copy(update={"tools": options.tools})
    if not options.sandbox:
        return run(settings)
    from tempfile import TemporaryDirectory

    from pydantic import SecretStr

    from telnyx_mcp.sandbox import running_sandbox

    with (
        TemporaryDirectory(prefix="telnyx-account-mcp-", ignore_cleanup_errors=True) as folder,
        running_sandbox() as sandbox,
    ):
        account = {
            "api_key": SecretStr(sandbox.key),
            "key_from": "auto",
            "base_url": sandbox.base_url,
            "profile": None,
            "state_url": settings.state_url or SecretStr(f"sqlite:///{folder}/state.sqlite3"),
        }
        return run(settings.model_copy(update=account))


def _address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `PORT`; loopback only."""
    from telnyx_mcp.config.settings import is_loopback

    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CommandError(f"--http takes HOST:PORT, such as 127.0.0.1:8000; got {text!r}")
    if not is_loopback(host):
        raise CommandError(
            f"--http serves on loopback only (127.0.0.1, localhost, [::1]); {host} would let other "
            "machines use this account"
        )
    return host, int(port)


def _call(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli.call import call_tool, list_tools

    if options.tool is None:
        return list_tools(options.tools or _accounts(options).main.tools)
    arguments: dict[str, str] = {}
    for pair in options.pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CommandError(f"arguments are written key=value; got {pair!r}")
        arguments[name] = value
    return _with_account(
        options,
        _accounts(options).main,
        lambda settings: call_tool(settings, options.tool, arguments, as_json=options.json),
    )


def _export(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli.export import run_export
    from telnyx_mcp.exporting.failure import ExportFailure

    wish = wish_of(options)
    accounts = _accounts(options)
    try:
        return _with_account(options, accounts.main, lambda settings: run_export(settings, wish))
    except ExportFailure as error:
        sys.stderr.write(f"telnyx-account-mcp: {error}\n")
        return error.status


def wish_of(options: argparse.Namespace) -> ExportOptions:
    """What the options of `export` ask for."""
    from pathlib import Path

    from telnyx_mcp.exporting.question import ExportOptions

    return ExportOptions(
        record_type=options.type,
        to=Path(options.to).absolute(),
        period=options.period,
        start=options.start,
        end=options.end,
        filters=tuple(options.filter),
        format=options.format,
        profile=options.profile,
        sandbox=options.sandbox,
        force=options.force,
        restart=options.restart,
    )


def _demo(_options: argparse.Namespace) -> int:
    from telnyx_mcp.cli.demo import run_demo

    return run_demo()


def _doctor(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli.doctor import run_doctor

    accounts = _accounts(options)
    return _with_account(
        options,
        accounts.main,
        lambda settings: run_doctor(
            settings, accounts, as_json=options.json, clear_pace=options.clear_pace
        ),
    )


def _approve(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli import ledger

    return _on_ledger(options, lambda settings: ledger.approve(settings, options.id))


def _ledger(options: argparse.Namespace) -> int:
    from telnyx_mcp.approval.change import State
    from telnyx_mcp.cli import ledger

    if act := {"link": ledger.link, "accept": ledger.accept}.get(options.id):
        return _on_ledger(options, act)
    state = State(options.state) if options.state else None
    return _on_ledger(
        options,
        lambda settings: ledger.show_ledger(
            settings, options.id, as_json=options.json, limit=options.limit, state=state
        ),
    )


def _resolve(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli import ledger

    return _on_ledger(
        options,
        lambda settings: ledger.resolve(settings, options.id, paid=options.paid, note=options.note),
    )


def _on_ledger(options: argparse.Namespace, command: Callable[[Settings], int]) -> int:
    """Runs with the ledger that the user's settings name."""
    from telnyx_mcp.cli.ledger import WronglyCalled
    from telnyx_mcp.config.keys import KeyUnavailable, with_key
    from telnyx_mcp.storage.store import StoreError

    settings = _accounts(options).main
    try:
        settings = with_key(settings)
    except KeyUnavailable as error:
        raise CommandError(f"The key tells whose changes are meant. {error}") from None
    try:
        return command(settings)
    except WronglyCalled as error:
        raise CommandError(str(error)) from None
    except StoreError as error:
        sys.stderr.write(f"telnyx-account-mcp: the record of changes can't be used. {error}\n")
        return 1


def _install(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli.install import InstallOptions, install, uninstall
    from telnyx_mcp.cli.terminal import NotDone
    from telnyx_mcp.clients.catalog import CLIENTS

    if options.client not in CLIENTS:
        raise CommandError(f"there is no client {options.client!r} here; it must be {_CLIENTS}")
    wish = InstallOptions(
        client=options.client,
        name=options.name,
        profile=options.profile,
        print_only=options.print,
        yes=options.yes,
    )
    try:
        if options.action == "uninstall":
            return uninstall(wish)
        return install(
            replace(
                wish,
                key=options.key,
                read_only=options.read_only,
                tools=options.tools or (),
                env=options.env,
            )
        )
    except NotDone as error:
        raise CommandError(str(error)) from None


def _key(options: argparse.Namespace) -> int:
    from telnyx_mcp.cli.key import remove_key, set_key
    from telnyx_mcp.cli.terminal import NotDone

    try:
        if options.action == "set":
            return set_key(options.profile, options.from_env, base_url=options.base_url)
        if options.from_env is not None:
            raise CommandError("--from-env goes with `key set`")
        return remove_key(options.profile, base_url=options.base_url)
    except NotDone as error:
        raise CommandError(str(error)) from None


def _milliseconds(text: str) -> int:
    """Raises ValueError."""
    return int(text.removesuffix("ms"))


def _sandbox(options: argparse.Namespace) -> int:
    from datetime import date

    from telnyx_mcp.config.settings import is_loopback
    from telnyx_mcp.sandbox import Sandbox, run_sandbox

    try:
        today = date.fromisoformat(options.today) if options.today else None
    except ValueError:
        raise CommandError(f"--today takes YYYY-MM-DD; got {options.today!r}") from None
    if not is_loopback(options.host):
        raise CommandError(f"--host takes a loopback address; got {options.host!r}")

    def ready(sandbox: Sandbox) -> None:
        sys.stdout.write(
            "A pretend Telnyx account. To use it:\n"
            f"  export TELNYX_BASE_URL={sandbox.base_url} TELNYX_API_KEY={sandbox.key}\n"
        )

    run_sandbox(
        options.host,
        options.port,
        on_ready=ready,
        seed=options.seed,
        today=today,
        records_per_month=options.records_per_month,
        latency=options.latency / 1000,
    )
    return 0
