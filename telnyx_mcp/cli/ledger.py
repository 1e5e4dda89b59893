"""What people do with the ledger at a terminal: approve a change, look back, resolve an unknown one.

Only `approve` talks to Telnyx, to see whether the question is still true; it sends no change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from telnyx_mcp.approval import replies
from telnyx_mcp.approval.change import DONE, PAYMENT, WAITING, Change, State
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.reasons import LINK, title_of
from telnyx_mcp.approval.replies import REPLIES
from telnyx_mcp.approval.signature import this_user
from telnyx_mcp.config.command_line import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telnyx_mcp.approval.accounts import LedgerAccount
    from telnyx_mcp.approval.ledger import Ledger
    from telnyx_mcp.config.settings import Settings

MOST_WAITING = 100


class WronglyCalled(Exception):
    """The command can't be carried out like this; its text says how it can."""


def now_utc() -> datetime:
    return datetime.now(UTC)


# --- the commands: 0 done, 1 not so ---------------------------------------------------------------


def approve(settings: Settings, id: str | None) -> int:
    """Shows what waits, asks about one change, and records the answer; offers to withdraw an approval
    that was not used yet. 0 if there was an answer.

    Raises `WronglyCalled` where nobody can be asked.
    """
    if not at_terminal():
        raise WronglyCalled(
            "approve asks a person, so it works at a terminal only: not through a pipe, nor from an "
            "assistant. Nothing was approved."
        )
    with _ledger(settings) as ledger:
        change = _chosen(ledger, id)
        if change is None:
            return 1
        if change.state is not State.APPROVED:
            change = _checked(settings, change)
        return 1 if change is None else _decide(settings, ledger, change)


def _decide(settings: Settings, ledger: Ledger, change: Change) -> int:
    """Asks what can be decided about the change in its state."""
    if change.state is State.PROPOSED:
        return _ask(settings, ledger, change)
    if change.state is State.APPROVED:
        return _withdraw(ledger, change)
    _too_late(change)
    return 1


def _checked(settings: Settings, change: Change) -> Change | None:
    """The change, or the one with a fresh question where this one is no longer true. None, with the
    reason printed, if it may no longer be asked."""
    import anyio

    from telnyx_mcp.approval.ledger_async import NotAllowed
    from telnyx_mcp.server.build import services_of
    from telnyx_mcp.telnyx.errors import TelnyxError
    from telnyx_mcp.tools.framework.spec import Failed

    async def check() -> Change:
        services = services_of(settings, now_utc)
        try:
            return await services.gate.check(change.id)
        finally:
            await services.aclose()

    try:
        current = anyio.run(check)
    except (NotAllowed, Failed) as refusal:
        _say(str(refusal), style="yellow")
        return None
    except TelnyxError as error:
        _say(
            f"The question is no longer true, and a fresh one can't be written. {error}",
            style="yellow",
        )
        return None
    if current.id != change.id:
        _say(
            f"The question {change.id} is no longer true; {current.id} replaces it.", style="yellow"
        )
    return current


def _ask(settings: Settings, ledger: Ledger, change: Change) -> int:
    from telnyx_mcp.approval.channels import AskOutcome, terminal

    _say(f"\n{change.question.text}\n", style="bold")
    terminal.discard_typed()
    asked = terminal.ask(change.question, input, _say)
    if asked is AskOutcome.CANCELLED:
        _say(replies.ANSWERED[asked].format(until=f"{change.expires_at:%H:%M}"))
        return 1
    decide = ledger.approve if asked is AskOutcome.APPROVED else ledger.decline
    decided = decide(change.id, "terminal", now_utc(), this_user())
    if decided is None:
        _too_late(ledger.get(change.id, now_utc()))
        return 1
    if decided.state is State.VOID:
        _say(f"Nothing was approved. {decided.happened}", style="yellow")
        fresh = _checked(settings, decided)
        return 1 if fresh is None else _decide(settings, ledger, fresh)
    _say(
        replies.ANSWERED[asked].format(
            until=f"{decided.expires_at:%H:%M}",
            approve=command_line(f"approve {change.id}", ledger.profile),
        )
    )
    return 0


def _withdraw(ledger: Ledger, change: Change) -> int:
    from telnyx_mcp.approval.channels import terminal

    _say(f"\n{change.question.text}\n", style="bold")
    _say("It is approved, and nothing was sent yet.")
    terminal.discard_typed()
    try:
        typed = input("To withdraw the approval, type withdraw (Enter: leave it approved): ")
    except EOFError:
        typed = ""
    if typed.strip().lower() != "withdraw":
        _say("It stays approved.")
        return 1
    if ledger.withdraw(change.id, "terminal", now_utc(), this_user()) is None:
        _say(_standing(replies.NOT_WITHDRAWN, ledger.get(change.id, now_utc()) or change))
        return 1
    _say(replies.WITHDRAWN)
    return 0


def link(settings: Settings) -> int:
    """Links this API key to an account of the ledger, as the user says. 0 if it is linked then.

    Raises `WronglyCalled` without a terminal: an agent that runs commands can't vouch for a key.
    """
    with _ledger(settings) as ledger:
        if ledger.is_linked():
            _say("This API key is linked to its account in the ledger already.")
            return 0
        known = [each for each in ledger.known_accounts() if each.changes]
        if not known:
            _say("There is nothing to link: the ledger holds no changes.")
            return 1
        if not at_terminal():
            raise WronglyCalled(
                "ledger link asks a person which account the key belongs to, and there is no terminal "
                "to ask at. Nothing was linked."
            )
        _say("The ledger holds the changes of these accounts:")
        for number, each in enumerate(known, 1):
            of = f", {each.address}" if each.address else ""
            count = "1 change" if each.changes == 1 else f"{each.changes} changes"
            _say(f"  {number}  {each.label}{of}: {count}")
        _say(
            "If this API key belongs to one of them, type its number: caps, references and unknown "
            "payments stay. If it belongs to another account, type new."
        )
        return _link_to(ledger, known)


def _link_to(ledger: Ledger, known: Sequence[LedgerAccount]) -> int:
    from telnyx_mcp.approval.accounts import Identity
    from telnyx_mcp.approval.channels import terminal

    terminal.discard_typed()
    try:
        typed = input("Number, or new (Enter: do nothing): ").strip().lower()
    except EOFError:
        typed = ""
    numbers = {str(number): each.id for number, each in enumerate(known, 1)}
    if typed != "new" and typed not in numbers:
        _say("Nothing was linked.")
        return 1
    ledger.link(numbers.get(typed), Identity(), now_utc())
    _say("Linked." if typed in numbers else "Linked to a new account.")
    return 0


def accept(settings: Settings) -> int:
    """Accepts a ledger that was replaced, as the user says. 0 if it is accepted then.

    Raises `WronglyCalled` without a terminal: an agent that runs commands can't vouch for a ledger.
    """
    from telnyx_mcp.approval.channels import terminal

    with _ledger(settings) as ledger:
        replaced = ledger.replaced()
        if replaced is None:
            _say(
                "The ledger is the one that this computer used before: there is nothing to accept."
            )
            return 0
        if not at_terminal():
            raise WronglyCalled(
                "ledger accept asks a person, and there is no terminal to ask at. Nothing was accepted."
            )
        _say(
            f"{replaced.happened} Payments may be missing from it, and with them caps, references and "
            "unknown payments. The Mission Control Portal shows what was paid."
        )
        terminal.discard_typed()
        try:
            typed = input("To go on with this ledger, type yes (Enter: do nothing): ")
        except EOFError:
            typed = ""
        if typed.strip().lower() != "yes":
            _say("Nothing was accepted.")
            return 1
        ledger.accept_store()
    _say("Accepted. Payments can be made again.")
    return 0


def show_ledger(
    settings: Settings, id: str | None, *, as_json: bool, limit: int, state: State | None
) -> int:
    """Prints the newest changes, or one of them in full. 0 unless that one is not there."""
    with _ledger(settings) as ledger:
        if id is not None:
            change = ledger.get(id, now_utc())
            if change is None:
                return _no_such(ledger, id)
            if as_json:
                _print_json(record_of(change))
            else:
                _show(change)
                _say_how_to_resolve(change, ledger.profile)
            return 0
        found = ledger.newest(limit + 1, now_utc(), state=state)
        if not found and not as_json:
            which = f" that is {state}" if state else ""
            _say(f"No change{which} is recorded for {_whose(ledger)}.")
            _say_unlinked(ledger)
            return 0
    shown = found[:limit]
    if as_json:
        _print_json([record_of(each) for each in shown])
    else:
        _table(shown)
        for each in shown:
            if each.damage:
                _say(f"{each.id} can't be read: {each.damage}", style="yellow")
        if len(found) > limit:
            _say(f"There are more: --limit {limit * 5}")
        _say(f"All of one: {command_line('ledger ID', ledger.profile)}")
    return 0


def resolve(settings: Settings, id: str, *, paid: bool | None, note: str) -> int:
    """Records what a person found out about an unknown change, and asks where `paid` is None. 0 if it
    was unknown.

    Raises `WronglyCalled` without a real terminal: an agent that runs commands is no person who
    looked.
    """
    with _ledger(settings) as ledger:
        change = ledger.get(id, now_utc())
        if change is None:
            return _no_such(ledger, id)
        if change.state is not State.UNKNOWN:
            return _not_unknown(change)
        _show(change)
        if not at_terminal():
            raise WronglyCalled(
                "resolve needs a person's confirmation, and there is no terminal to ask at. Nothing "
                "was resolved."
            )
        if paid is None and (paid := _found(DONE.get(change.operation, "done"))) is None:
            _say("Nothing was resolved.")
            return 1
        _say(f"\nYou say that it {'happened' if paid else 'did not happen'}.", style="bold")
        if not _confirmed(change):
            _say("Nothing was resolved.")
            return 1
        said = f"Found {'to have happened' if paid else 'not to have happened'}."
        resolved = ledger.resolve(
            id, paid=paid, note=f"{said} {note}".strip(), now=now_utc(), by=this_user()
        )
        if resolved is None:
            return _not_unknown(ledger.get(id, now_utc()) or change)
        _say(f"Resolved: {title_of(change)} is {resolved.state} now.")
        if change.operation == PAYMENT:
            _payments_again(ledger)
    return 0


def _found(done: str) -> bool | None:
    """Whether the person found that the change happened: they type `done`, such as `paid`, or `not
    paid`. None if they type anything else."""
    from telnyx_mcp.approval.channels import terminal

    terminal.discard_typed()
    try:
        typed = input(f"Did it happen? Type {done} or not {done} (Enter: do nothing): ")
    except EOFError:
        return None
    answers = {done: True, f"not {done}": False}
    return answers.get(" ".join(typed.lower().replace("-", " ").split()))


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
        "decided_by": change.decided_by or None,
        "requested_via": change.requested_via or None,
        "sent_by": change.owner or None,
        "happened": change.happened or None,
        "note": change.note or None,
        "question": change.question.text,
        "basis": dict(change.basis),
        "evidence": dict(change.evidence),
        "proposed_at": _iso(change.proposed_at),
        "decided_at": _iso(change.decided_at),
        "sent_at": _iso(change.sent_at),
        "updated_at": _iso(change.updated_at),
        "waits_until": _iso(change.expires_at) if change.state in WAITING else None,
        "replaced_by": change.replaced_by,
    }


def facts_of(change: Change) -> list[tuple[str, str]]:
    """The whole record but its question, as names and words."""
    evidence = dict(change.evidence)
    if "balance" in change.basis:
        evidence.setdefault("balance_before", change.basis["balance"])
    answered = "declined by" if change.state is State.DECLINED else "approved by"
    facts = [
        ("id", change.id),
        ("change", title_of(change)),
        ("state", f"{change.state}, since {_time(change.updated_at)}"),
        ("proposed", _time(change.proposed_at)),
        ("requested via", change.requested_via),
        (answered, " by ".join(filter(None, (change.channel, change.decided_by)))),
        ("decided", _time(change.decided_at)),
        ("sent", _time(change.sent_at)),
        ("sent by", change.owner),
        ("replaced by", change.replaced_by or ""),
        ("what happened", change.happened),
        *((name.replace("_", " "), _plain(value)) for name, value in sorted(evidence.items())),
        ("note", change.note),
    ]
    return [(name, words) for name, words in facts if words]


def _show(change: Change) -> None:
    _say(change.question.text, style="bold")
    _say("")
    facts = facts_of(change)
    width = max(len(name) for name, _ in facts) + 2
    for name, words in facts:
        _say(f"{name:<{width}}{words}".replace("\n", "\\n"))  # or a value could pose as a fact


def _say_how_to_resolve(change: Change, profile: str | None) -> None:
    if change.state is State.UNKNOWN:
        resolve = command_line(f"resolve {change.id}", profile)
        _say(
            f"\n{REPLIES[State.UNKNOWN].heading}. Look into the Mission Control Portal, then run\n"
            f"  {resolve}",
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
            Text(_sent_or_asked(each)),
            Text(each.channel or "–"),
            _text(title_of(each)),
        )
    Console(highlight=False).print(table)


def _sent_or_asked(change: Change) -> str:
    if change.sent_at:
        return f"sent {change.sent_at:%Y-%m-%d %H:%M}"
    return f"asked {change.proposed_at:%Y-%m-%d %H:%M}"


# --- inside ----------------------------------------------------------------------------------------


@contextmanager
def _ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of the configured account. Raises `StoreError`."""
    ledger = open_ledger(settings)
    try:
        yield ledger
    finally:
        ledger.close()


def _chosen(ledger: Ledger, id: str | None) -> Change | None:
    """The change to ask about, after showing what waits; None, with words, if there is none."""
    if id is not None:
        change = ledger.get(id, now_utc())
        if change is None:
            _no_such(ledger, id)
        elif change.state not in WAITING and not change.replaced_by:
            _too_late(change)
        else:
            return change
        return None
    found = ledger.newest(MOST_WAITING, now_utc())
    waiting = [each for each in found if each.state in WAITING]
    if not waiting:
        _say(f"Nothing waits for approval for {_whose(ledger)}.")
        _say_unlinked(ledger)
        return None
    count = "1 change waits" if len(waiting) == 1 else f"{len(waiting)} changes wait"
    _say(f"{count} for approval:")
    for each in waiting:
        span = f"since {each.proposed_at:%H:%M}, until {each.expires_at:%H:%M} UTC"
        approved = ", approved" if each.state is State.APPROVED else ""
        _say(f"  {each.id}  {title_of(each)}{approved}, {span}")
    if len(waiting) == 1:
        return waiting[0]
    _say(f"Answer one: {command_line('approve ID', ledger.profile)}")
    return None


def _confirmed(change: Change) -> bool:
    from telnyx_mcp.approval.channels import terminal

    terminal.discard_typed()
    try:
        typed = input(f"To confirm, type {terminal.expected(change.question)}: ")
    except EOFError:
        _say("")
        return False
    return terminal.agrees(typed, change.question)


def _payments_again(ledger: Ledger) -> None:
    others = ledger.newest(MOST_WAITING, now_utc(), state=State.UNKNOWN)
    blocking = [each for each in others if each.operation == PAYMENT]
    if not blocking:
        _say("Payments can be made again.")
        return
    _say("No payment is made yet; still unknown:")
    for each in blocking:
        _say(f"  {each.id}  {title_of(each)}, {_time(each.updated_at)}")


def _too_late(change: Change | None) -> None:
    if change is not None:
        _say(_standing(replies.NOT_WAITING, change))


def _not_unknown(change: Change) -> int:
    _say(_standing(replies.NOT_UNKNOWN, change), stderr=True)
    return 1


def _standing(text: str, change: Change) -> str:
    """One of the texts of `replies` that say where a change stands, filled in."""
    return text.format(
        clause=REPLIES[change.state].clause,
        happened=f" {change.happened}" if change.happened else "",
        title=title_of(change),
        state=change.state,
    )


def _no_such(ledger: Ledger, id: str) -> int:
    _say(
        f"No change {id} is recorded for {_whose(ledger)}. "
        f"What is recorded: {command_line('ledger', ledger.profile)}",
        stderr=True,
    )
    _say_unlinked(ledger, stderr=True)
    return 1


def _whose(ledger: Ledger) -> str:
    """The account whose changes these are, as the person knows it."""
    if ledger.profile:
        return f"profile {ledger.profile}"
    return "the account whose key is used here (of a profile: --profile NAME)"


def _say_unlinked(ledger: Ledger, *, stderr: bool = False) -> None:
    if ledger.hides_changes():
        _say(
            "This API key is not linked to an account of the ledger yet. If it replaced another key: "
            f"{command_line(LINK, ledger.profile)}",
            stderr=stderr,
        )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


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
