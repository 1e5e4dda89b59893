"""What people do with the ledger at a terminal: approve a change, look back, resolve an unknown one.

Nothing here talks to Telnyx: the ledger holds what a person needs to decide.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from telnyx_mcp.approval.changes import LIFETIME, PAYMENT, Change, State
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.commands import to_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telnyx_mcp.approval.ledger import Ledger
    from telnyx_mcp.settings import Settings

MOST_WAITING = 100

WHY_NOT_UNKNOWN: Mapping[State, str] = {
    State.PROPOSED: "it still waits for an answer, and nothing was sent",
    State.APPROVED: "it is approved, and nothing was sent yet",
    State.SENDING: "it is being sent, and its answer may still come; look again in a minute",
    State.SUCCEEDED: "Telnyx confirmed it, or a person did before",
    State.REFUSED: "it did not happen",
    State.NOT_SENT: "it was never sent",
    State.DECLINED: "a person declined it, and nothing was sent",
    State.EXPIRED: "its approval ran out, and nothing was sent",
}
"""Why there is nothing to resolve."""


class WronglyCalled(Exception):
    """The command can't be carried out like this; its text says how it can."""


def now_utc() -> datetime:
    return datetime.now(UTC)


# --- the commands: 0 done, 1 not so ---------------------------------------------------------------


def approve(settings: Settings, id: str | None) -> int:
    """Shows what waits, asks about one change, and records the answer. 0 if there was one.

    Raises `WronglyCalled` where nobody can be asked.
    """
    if not at_terminal():
        raise WronglyCalled(
            "approve asks a person, so it works at a terminal only: not through a pipe, nor from an "
            "assistant. Nothing was approved."
        )
    with _ledger(settings) as ledger:
        waiting = ledger.newest(MOST_WAITING, state=State.PROPOSED)
        change = _chosen(ledger, waiting, id)
        if change is None:
            return 1
        from telnyx_mcp.approval.channels import Reply, terminal

        _say(f"\n{change.question}\n", style="bold")
        if change.amount is not None and (why := ledger.refusal(change.amount, now_utc())):
            _say(f"As things stand it would not be sent, approved or not: {why}\n", style="yellow")
        terminal.forget_typed()
        reply = terminal.ask(change, input, _say)
        if reply is Reply.CANCELLED:
            until = _until(change)
            _say(f"Nothing was approved or declined. It waits until {until:%H:%M} UTC.")
            return 1
        decide = ledger.approve if reply is Reply.APPROVED else ledger.decline
        decided = decide(change.id, "terminal", now_utc())
        if decided is None:
            ledger.sweep(now_utc())
            _too_late(ledger.get(change.id))
            return 1
        if reply is Reply.DECLINED:
            _say("Declined. The assistant is told so.")
        else:
            _say(
                "Approved. The assistant can call again; the approval is good until "
                f"{_until(decided):%H:%M} UTC."
            )
        return 0


def show_ledger(
    settings: Settings, id: str | None, *, as_json: bool, limit: int, state: State | None
) -> int:
    """Prints the newest changes, or one of them in full. 0 unless that one is not there."""
    with _ledger(settings) as ledger:
        if id is not None:
            change = ledger.get(id)
            if change is None:
                return _no_such(ledger, id)
            if as_json:
                _print_json(record_of(change))
            else:
                _show(change, ledger.profile)
            return 0
        found = ledger.newest(limit + 1, state=state)
    shown = found[:limit]
    if as_json:
        _print_json([record_of(each) for each in shown])
    elif not shown:
        which = f" that is {state}" if state else ""
        _say(f"No change{which} is recorded for {_whose(ledger)}.")
    else:
        _table(shown)
        if len(found) > limit:
            _say(f"There are more: --limit {limit * 5}")
        _say(f"All of one: {to_run('ledger ID', ledger.profile)}")
    return 0


def resolve(settings: Settings, id: str, *, paid: bool, note: str) -> int:
    """Records what a person found out about an unknown change. 0 if it was unknown.

    Raises `WronglyCalled` without a real terminal: an agent that runs commands is no person who
    looked.
    """
    with _ledger(settings) as ledger:
        change = ledger.get(id)
        if change is None:
            return _no_such(ledger, id)
        if change.state is not State.UNKNOWN:
            return _not_unknown(change)
        _show(change, ledger.profile)
        if not at_terminal():
            raise WronglyCalled(
                "resolve wants a person's confirmation, and there is no terminal to ask at. Nothing "
                "was resolved."
            )
        _say(f"\nYou say that it {'happened' if paid else 'did not happen'}.", style="bold")
        if not _confirmed(change):
            _say("Nothing was resolved.")
            return 1
        said = f"Found {'to have happened' if paid else 'not to have happened'}."
        resolved = ledger.resolve(id, paid=paid, note=f"{said} {note}".strip(), now=now_utc())
        if resolved is None:
            return _not_unknown(ledger.get(id) or change)
        _say(f"Resolved: {what(change)} is {resolved.state} now.")
        if change.operation == PAYMENT:
            _payments_again(ledger)
    return 0


# --- what a change looks like ----------------------------------------------------------------------


def record_of(change: Change) -> dict[str, Any]:
    """A change, complete, as `--json` prints it. Every name is always there."""
    return {
        "id": change.id,
        "operation": change.operation,
        "arguments": dict(change.arguments),
        "amount": None if change.amount is None else str(change.amount),
        "reference": change.reference,
        "state": str(change.state),
        "approved_by": None if change.state is State.DECLINED else change.channel or None,
        "declined_by": change.channel or None if change.state is State.DECLINED else None,
        "sent_by": change.owner or None,
        "happened": change.happened or None,
        "note": change.note or None,
        "question": change.question,
        "basis": dict(change.basis),
        "evidence": dict(change.evidence),
        "proposed_at": change.proposed_at.isoformat(timespec="milliseconds"),
        "updated_at": change.updated_at.isoformat(timespec="milliseconds"),
        "waits_until": _until(change).isoformat(timespec="milliseconds")
        if change.state in (State.PROPOSED, State.APPROVED)
        else None,
    }


def what(change: Change) -> str:
    """What it is, in a few words."""
    if change.operation == PAYMENT:
        named = f" ({change.reference})" if change.reference else ""
        return f"pay {change.amount}{named}"
    values = ", ".join(f"{name} {_plain(value)}" for name, value in change.arguments.items())
    return f"{change.operation.replace('_', ' ')}: {values}"


def facts_of(change: Change) -> list[tuple[str, str]]:
    """The whole record but its question, as names and words."""
    evidence = dict(change.evidence)
    if "balance" in change.basis:
        evidence.setdefault("balance_before", change.basis["balance"])
    answered = "declined by" if change.state is State.DECLINED else "approved by"
    facts = [
        ("id", change.id),
        ("change", what(change)),
        ("state", f"{change.state}, since {_time(change.updated_at)}"),
        ("proposed", _time(change.proposed_at)),
        (answered, change.channel),
        ("sent by", change.owner),
        ("what happened", change.happened),
        *((name.replace("_", " "), _plain(value)) for name, value in sorted(evidence.items())),
        ("note", change.note),
    ]
    return [(name, words) for name, words in facts if words]


def _show(change: Change, profile: str | None) -> None:
    _say(change.question, style="bold")
    _say("")
    facts = facts_of(change)
    width = max(len(name) for name, _ in facts) + 2
    for name, words in facts:
        _say(f"{name:<{width}}{words}")
    if change.state is State.UNKNOWN:
        resolve = to_run(f"resolve {change.id}", profile)
        _say(
            "\nNobody knows whether it happened. Look into the Mission Control Portal, then run\n"
            f"  {resolve} --paid      if it happened\n"
            f"  {resolve} --not-paid  if it did not",
            style="yellow",
        )


def _table(changes: list[Change]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, whole in (("id", True), ("state", True), ("when (UTC)", True), ("by", True)):
        table.add_column(name, no_wrap=whole)
    table.add_column("change", overflow="fold")
    for each in changes:
        table.add_row(
            Text(each.id),
            Text(each.state, style="yellow" if each.state is State.UNKNOWN else ""),
            Text(f"{each.updated_at:%Y-%m-%d %H:%M}"),
            Text(each.channel or "–"),
            _text(what(each)),
        )
    Console(highlight=False).print(table)


# --- inside ----------------------------------------------------------------------------------------


@contextmanager
def _ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of the configured account, swept. Raises `StoreError`."""
    ledger = open_ledger(settings)
    try:
        ledger.sweep(now_utc())
        yield ledger
    finally:
        ledger.close()


def _chosen(ledger: Ledger, waiting: list[Change], id: str | None) -> Change | None:
    """The change to ask about, after showing what waits; None, with words, if there is none."""
    if id is not None:
        change = ledger.get(id)
        if change is None:
            _no_such(ledger, id)
        elif change.state is not State.PROPOSED:
            _too_late(change)
        else:
            return change
        return None
    if not waiting:
        _say(f"Nothing waits for approval for {_whose(ledger)}.")
        return None
    count = "1 change waits" if len(waiting) == 1 else f"{len(waiting)} changes wait"
    _say(f"{count} for approval:")
    for each in waiting:
        span = f"since {each.proposed_at:%H:%M}, until {_until(each):%H:%M} UTC"
        _say(f"  {each.id}  {what(each)}, {span}")
    if len(waiting) == 1:
        return waiting[0]
    _say(f"Answer one: {to_run('approve ID', ledger.profile)}")
    return None


def _confirmed(change: Change) -> bool:
    from telnyx_mcp.approval.channels import terminal

    terminal.forget_typed()
    try:
        typed = input(f"To confirm, type {terminal.wanted(change)}: ")
    except EOFError:
        _say("")
        return False
    return terminal.agrees(typed, change)


def _payments_again(ledger: Ledger) -> None:
    others = ledger.newest(MOST_WAITING, state=State.UNKNOWN)
    blocking = [each for each in others if each.operation == PAYMENT]
    if not blocking:
        _say("Payments can be made again.")
        return
    _say("No payment is made yet; still unknown:")
    for each in blocking:
        _say(f"  {each.id}  {what(each)}, {_time(each.updated_at)}")


def _too_late(change: Change | None) -> None:
    if change is None:
        return
    told = f" {change.happened}" if change.happened else ""
    _say(f"It no longer waits for an answer: it is {change.state}.{told} Nothing was approved now.")


def _not_unknown(change: Change) -> int:
    why = WHY_NOT_UNKNOWN[change.state]
    _say(f"There is nothing to resolve: {what(change)} is {change.state}: {why}.", stderr=True)
    return 1


def _no_such(ledger: Ledger, id: str) -> int:
    _say(
        f"No change {id} is recorded for {_whose(ledger)}. "
        f"What is recorded: {to_run('ledger', ledger.profile)}",
        stderr=True,
    )
    return 1


def _whose(ledger: Ledger) -> str:
    """The account whose changes these are, as the person knows it."""
    if ledger.profile:
        return f"profile {ledger.profile}"
    return "the account whose key is used here (of a profile: --profile NAME)"


def _until(change: Change) -> datetime:
    """When it expires."""
    return LIFETIME + (change.proposed_at if change.state is State.PROPOSED else change.updated_at)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _plain(value: object) -> str:
    """A value in a few words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def at_terminal() -> bool:
    """Whether a person can read here and type."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def visible(words: str) -> str:
    """The same words, with whatever could move the cursor or hide some of them written out."""
    return "".join(
        each if each == "\n" or each.isprintable() else each.encode("unicode_escape").decode()
        for each in words
    )


def _text(words: str) -> Text:
    return Text(visible(words))


def _say(words: str, *, style: str = "", stderr: bool = False) -> None:
    line = _text(words)
    line.stylize(style)
    Console(stderr=stderr, highlight=False).print(line, soft_wrap=True)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
