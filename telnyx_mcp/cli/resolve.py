"""`resolve`: record the outcome of a change whose outcome is unknown.

Records the outcome of a change whose outcome is unknown, after you looked into the Mission Control
Portal. While a payment is unknown, no other is made. Shows the evidence, asks what you found unless
--paid or --not-paid says it, and asks you to confirm.
"""

from __future__ import annotations

import argparse
from functools import partial

from telnyx_mcp.approval import replies
from telnyx_mcp.approval.change import DONE, PAYMENT, Change, State
from telnyx_mcp.approval.channels import terminal as channel
from telnyx_mcp.approval.reasons import title_of
from telnyx_mcp.approval.signature import this_user
from telnyx_mcp.cli.account import profile_option
from telnyx_mcp.cli.approve import MAX_WAITING
from telnyx_mcp.cli.change_texts import standing, time_text
from telnyx_mcp.cli.errors import NOT_DONE
from telnyx_mcp.cli.installed_account import client_option
from telnyx_mcp.cli.ledger_session import LedgerSession, now_utc, on_ledger
from telnyx_mcp.cli.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="as `ledger` shows it")
    found = parser.add_mutually_exclusive_group()
    found.add_argument("--paid", action="store_true", default=None, help="it happened")
    found.add_argument("--not-paid", dest="paid", action="store_false", help="it did not happen")
    parser.add_argument("--note", metavar="TEXT", default="", help="how you know; kept with it")
    profile_option(parser)
    client_option(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Records what the user found. 0 if it is recorded."""
    return on_ledger(
        options, terminal, partial(resolve, id=options.id, paid=options.paid, note=options.note)
    )


def resolve(session: LedgerSession, id: str, *, paid: bool | None, note: str) -> int:
    """Records what the user found out about an unknown change, and asks where `paid` is None."""
    change = session.find(id)
    if change is None:
        return session.not_found(id)
    if change.state is not State.UNKNOWN:
        return _not_unknown(session, change)
    session.show(change)
    session.need_terminal(
        "resolve needs the user's confirmation, and there is no terminal to ask at. Nothing was "
        "resolved."
    )
    if paid is None:
        paid = _found(session, DONE.get(change.operation, "done"))
    if paid is None or not _is_confirmed(session, change, paid=paid):
        session.say("Nothing was resolved.")
        return NOT_DONE
    found = f"Found {'to have happened' if paid else 'not to have happened'}."
    resolved = session.ledger.resolve(
        id, paid=paid, note=f"{found} {note}".strip(), now=now_utc(), by=this_user()
    )
    if resolved is None:
        return _not_unknown(session, session.find(id) or change)
    session.say(f"Resolved: {title_of(change)}: {resolved.state}.")
    if change.operation == PAYMENT:
        _say_whether_payments_go_on(session)
    return 0


def _found(session: LedgerSession, done: str) -> bool | None:
    """Whether the user found that the change happened: they type `done`, such as `paid`, or `not paid`.
    None if they type anything else."""
    typed = session.terminal.ask(f"Did it happen? Type {done} or not {done} (Enter: do nothing): ")
    answers = {done: True, f"not {done}": False}
    return answers.get(" ".join(typed.lower().replace("-", " ").split()))


def _is_confirmed(session: LedgerSession, change: Change, *, paid: bool) -> bool:
    session.say(f"\nYou say that it {'happened' if paid else 'did not happen'}.", "bold")
    typed = session.terminal.ask(f"To confirm, type {channel.expected(change.question)}: ")
    return channel.agrees(typed, change.question)


def _say_whether_payments_go_on(session: LedgerSession) -> None:
    others = session.ledger.newest(MAX_WAITING, now_utc(), state=State.UNKNOWN)
    blocking = [each for each in others if each.operation == PAYMENT]
    if not blocking:
        session.say("Payments can be made again.")
        return
    session.say("No payment is made yet; still unknown:")
    for each in blocking:
        session.say(f"  {each.id}  {title_of(each)}, {time_text(each.updated_at)}")


def _not_unknown(session: LedgerSession, change: Change) -> int:
    session.say(standing(replies.NOT_UNKNOWN, change), error=True)
    return NOT_DONE
