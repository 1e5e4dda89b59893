"""`ledger`: changes made or proposed, and their outcomes.

Lists the changes of the configured account, newest first; with an ID, one of them in full: the
question word for word, who approved it and how, when it was sent, its outcome, and the evidence.
`ledger link` links a new API key to its account: caps, references and unknown payments stay.
`ledger accept` accepts a ledger that was replaced or restored from a backup, after you looked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from telnyx_mcp.approval.accounts import Identity, LedgerAccount
from telnyx_mcp.approval.change import State
from telnyx_mcp.cli.account import profile_option
from telnyx_mcp.cli.change_texts import record_of, rows_of_changes
from telnyx_mcp.cli.errors import NOT_DONE
from telnyx_mcp.cli.installed_account import client_option
from telnyx_mcp.cli.ledger_session import LedgerSession, now_utc, on_ledger
from telnyx_mcp.cli.tables import rows_of
from telnyx_mcp.cli.terminal import Terminal

MOST = 10_000
"""How many changes are printed at most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", nargs="?", help="show this one in full; `link`, `accept`: see above"
    )
    parser.add_argument("--json", action="store_true", help="print complete records as JSON")
    parser.add_argument("--limit", metavar="N", type=_count, help="how many (20)")
    parser.add_argument(
        "--since",
        metavar="DATE",
        type=_moment,
        help="only those that changed since then: 2026-05-01, or 2026-05-01T12:00Z; all of them, unless "
        "--limit is given",
    )
    parser.add_argument(
        "--state",
        metavar="STATE",
        choices=[str(each) for each in State],
        type=_state,
        help=f"only these: {', '.join(State)}",
    )
    profile_option(parser)
    client_option(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Prints changes, links a key, or accepts a ledger. 0 if that was done."""
    acts: dict[str | None, Callable[[LedgerSession], int]] = {
        "link": link,
        "accept": accept,
        None: partial(
            show_changes,
            as_json=options.json,
            limit=options.limit or (MOST if options.since else 20),
            since=options.since,
            state=State(options.state) if options.state else None,
        ),
    }
    show = partial(show_change, id=options.id, as_json=options.json)
    return on_ledger(options, terminal, acts.get(options.id, show))


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST}, not {text!r}")
    return int(text)


def _moment(text: str) -> datetime:
    """A date, or a moment; UTC unless it names another offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"a date such as 2026-05-01, or a moment such as 2026-05-01T12:00Z, not {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _state(text: str) -> str:
    return text.lower().replace("-", "_")


def show_change(session: LedgerSession, id: str, *, as_json: bool) -> int:
    """Prints one change in full."""
    change = session.find(id)
    if change is None:
        return session.not_found(id)
    if as_json:
        session.terminal.write(_json(record_of(change)))
    else:
        session.show(change)
        session.say_how_to_resolve(change)
    return 0


def show_changes(
    session: LedgerSession,
    *,
    as_json: bool,
    limit: int,
    state: State | None,
    since: datetime | None = None,
) -> int:
    """Prints the newest changes."""
    found = session.ledger.newest(limit + 1, now_utc(), state=state, since=since)
    listed = found[:limit]
    if as_json:
        session.terminal.write(_json([record_of(each) for each in listed]))
        if since and len(found) > limit:  # an export must not look complete
            session.say(f"There are more than {limit} changes since then.", error=True)
            return NOT_DONE
        return 0
    if not found:
        which = f" that is {state}" if state else ""
        which += f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
        session.say(f"No change{which} is recorded for {session.whose}.")
        session.say_unlinked()
        return 0
    terminal = session.terminal
    terminal.show(*rows_of(rows_of_changes(listed), terminal.width()))
    for each in listed:
        if each.damage:
            session.say(f"{each.id} can't be read: {each.damage}", "yellow")
    if len(found) > limit:
        session.say(f"There are more: --limit {limit * 5}")
    session.say(f"All of one: {session.command('ledger ID')}")
    return 0


def link(session: LedgerSession) -> int:
    """Links this API key to an account of the ledger, which the user chooses. 0 if it is linked then."""
    if session.ledger.is_linked():
        session.say("This API key is linked to its account in the ledger already.")
        return 0
    known = [each for each in session.ledger.known_accounts() if each.changes]
    if not known:
        session.say("There is nothing to link: the ledger holds no changes.")
        return NOT_DONE
    session.need_terminal(
        "ledger link asks the user which account the key belongs to, and there is no terminal to ask "
        "at. Nothing was linked."
    )
    session.say("The ledger holds the changes of these accounts:")
    for number, each in enumerate(known, 1):
        of = f", {each.address}" if each.address else ""
        count = "1 change" if each.changes == 1 else f"{each.changes} changes"
        session.say(f"  {number}  {each.label}{of}: {count}")
    session.say(
        "If this API key belongs to one of them, type its number: caps, references and unknown "
        "payments stay. If it belongs to another account, type new."
    )
    return _link_to(session, known)


def _link_to(session: LedgerSession, known: Sequence[LedgerAccount]) -> int:
    typed = session.terminal.ask("Number, or new (Enter: do nothing): ").lower()
    numbers = {str(number): each.id for number, each in enumerate(known, 1)}
    if typed != "new" and typed not in numbers:
        session.say("Nothing was linked.")
        return NOT_DONE
    session.ledger.link(numbers.get(typed), Identity(), now_utc())
    session.say("Linked." if typed in numbers else "Linked to a new account.")
    return 0


def accept(session: LedgerSession) -> int:
    """Accepts a ledger that was replaced, if the user confirms. 0 if it is accepted then."""
    replaced = session.ledger.replaced()
    if replaced is None:
        session.say(
            "The ledger is the one that this computer used before: there is nothing to accept."
        )
        return 0
    session.need_terminal(
        "ledger accept asks the user, and there is no terminal to ask at. Nothing was accepted."
    )
    session.say(
        f"{replaced.finding} Payments may be missing from it, and with them caps, references and "
        "unknown payments. The Mission Control Portal shows what was paid."
    )
    typed = session.terminal.ask("To go on with this ledger, type yes (Enter: do nothing): ")
    if typed.lower() != "yes":
        session.say("Nothing was accepted.")
        return NOT_DONE
    session.ledger.accept_store()
    session.say("Accepted. Payments can be made again.")
    return 0


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
