"""`approve`: approve or decline what an assistant proposed.

Shows what an assistant proposed and what waits for your approval, and asks you about one change:
the only one, or the one you name. Type the largest sum that can be charged to approve, or `yes` where
nothing can be. Withdraws an approval that was not used yet. Needs a real terminal. Sends nothing by
itself: the assistant calls again after you approved.
"""

from __future__ import annotations

import argparse
from functools import partial

import anyio

from telnyx_mcp.approval import replies
from telnyx_mcp.approval.change import WAITING, Change, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.channels import terminal as channel
from telnyx_mcp.approval.reasons import NotAllowed, title_of
from telnyx_mcp.approval.signature import this_user
from telnyx_mcp.cli.account import profile_option
from telnyx_mcp.cli.change_texts import standing
from telnyx_mcp.cli.errors import NOT_DONE
from telnyx_mcp.cli.installed_account import client_option
from telnyx_mcp.cli.ledger_session import LedgerSession, now_utc, on_ledger
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.server.build import services_of
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.tools.framework.failure import ToolFailure

MAX_WAITING = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="which one, if several wait")
    profile_option(parser)
    client_option(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Asks about one change. 0 if there was an answer."""
    return on_ledger(options, terminal, partial(approve, id=options.id))


def approve(session: LedgerSession, id: str | None) -> int:
    """Shows what waits, asks about one change, and records the answer; offers to withdraw an approval
    that was not used yet. Talks to Telnyx only to see whether the question is still true."""
    session.need_terminal(
        "approve asks the user, so it works at a terminal only: not through a pipe, nor from an "
        "assistant. Nothing was approved."
    )
    change = _chosen(session, id)
    if change is not None and change.state is not State.APPROVED:
        change = _checked(session, change)
    return NOT_DONE if change is None else _decide(session, change)


def _chosen(session: LedgerSession, id: str | None) -> Change | None:
    """The change to ask about, after showing what waits; None, with a reason printed, if there is
    none."""
    if id is not None:
        change = session.find(id)
        if change is None:
            session.not_found(id)
        elif change.state not in WAITING and not change.replaced_by:
            _say_standing(session, change)
        else:
            return change
        return None
    found = session.ledger.newest(MAX_WAITING, now_utc())
    waiting = [each for each in found if each.state in WAITING]
    if not waiting:
        session.say(f"Nothing waits for approval for {session.whose}.")
        session.say_unlinked()
        return None
    count = "1 change waits" if len(waiting) == 1 else f"{len(waiting)} changes wait"
    session.say(f"{count} for approval:")
    for each in waiting:
        span = f"since {each.proposed_at:%H:%M}, until {each.expires_at:%H:%M} UTC"
        approved = ", approved" if each.state is State.APPROVED else ""
        session.say(f"  {each.id}  {title_of(each)}{approved}, {span}")
    if len(waiting) == 1:
        return waiting[0]
    session.say(f"Answer one: {session.command('approve ID')}")
    return None


def _checked(session: LedgerSession, change: Change) -> Change | None:
    """The change, or the one with a fresh question where this one is no longer true. None, with a
    reason printed, if it may no longer be asked."""

    async def check() -> Change:
        services = services_of(session.settings, now_utc)
        try:
            return await services.gate.check(change.id)
        finally:
            await services.aclose()

    try:
        current = anyio.run(check)
    except (NotAllowed, ToolFailure) as refusal:
        session.say(str(refusal), "yellow")
        return None
    except TelnyxError as error:
        session.say(
            f"The question is no longer true, and a fresh one can't be written. {error}", "yellow"
        )
        return None
    if current.id != change.id:
        session.say(
            f"The question {change.id} is no longer true; {current.id} replaces it.", "yellow"
        )
    return current


def _decide(session: LedgerSession, change: Change) -> int:
    """Asks what can be decided about the change in its state."""
    if change.state is State.PROPOSED:
        return _ask(session, change)
    if change.state is State.APPROVED:
        return _withdraw(session, change)
    _say_standing(session, change)
    return NOT_DONE


def _ask(session: LedgerSession, change: Change) -> int:
    ledger = session.ledger
    session.say(f"\n{change.question.text}\n", "bold")
    channel.discard_typed()
    answer = channel.ask(change.question, session.terminal.read, session.say)
    if answer is AskOutcome.CANCELLED:
        session.say(replies.ANSWERED[answer].format(until=f"{change.expires_at:%H:%M}"))
        return NOT_DONE
    decide = ledger.approve if answer is AskOutcome.APPROVED else ledger.decline
    decided = decide(change.id, "terminal", now_utc(), this_user())
    if decided is None:
        _say_standing(session, session.find(change.id))
        return NOT_DONE
    if decided.state is State.VOID:
        session.say(f"Nothing was approved. {decided.outcome_text}", "yellow")
        fresh = _checked(session, decided)
        return NOT_DONE if fresh is None else _decide(session, fresh)
    session.say(
        replies.ANSWERED[answer].format(
            until=f"{decided.expires_at:%H:%M}", approve=session.command(f"approve {change.id}")
        )
    )
    return 0


def _withdraw(session: LedgerSession, change: Change) -> int:
    session.say(f"\n{change.question.text}\n", "bold")
    session.say("It is approved, and nothing was sent yet.")
    typed = session.terminal.ask(
        "To withdraw the approval, type withdraw (Enter: leave it approved): "
    )
    if typed.lower() != "withdraw":
        session.say("It stays approved.")
        return NOT_DONE
    if session.ledger.withdraw(change.id, "terminal", now_utc(), this_user()) is None:
        session.say(standing(replies.NOT_WITHDRAWN, session.find(change.id) or change))
        return NOT_DONE
    session.say(replies.WITHDRAWN)
    return 0


def _say_standing(session: LedgerSession, change: Change | None) -> None:
    if change is not None:
        session.say(standing(replies.NOT_WAITING, change))
