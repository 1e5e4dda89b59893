"""What a change of the ledger looks like to a user: as facts, as a table, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.text import Text

from telnyx_mcp.approval.change import WAITING, Change, State
from telnyx_mcp.approval.reasons import title_of
from telnyx_mcp.approval.replies import REPLIES
from telnyx_mcp.cli.terminal import escape_controls


def record_of(change: Change) -> dict[str, Any]:
    """A change, complete, as `--json` prints it. Every field is always present."""
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
        "happened": change.outcome_text or None,
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
    """The record without its question, as names and texts."""
    evidence = dict(change.evidence)
    if "balance" in change.basis:
        evidence.setdefault("balance_before", change.basis["balance"])
    answered = "declined by" if change.state is State.DECLINED else "approved by"
    facts = [
        ("id", change.id),
        ("change", title_of(change)),
        ("state", f"{change.state}, since {time_text(change.updated_at)}"),
        ("proposed", time_text(change.proposed_at)),
        ("requested via", change.requested_via),
        (answered, " by ".join(filter(None, (change.channel, change.decided_by)))),
        ("decided", time_text(change.decided_at)),
        ("sent", time_text(change.sent_at)),
        ("sent by", change.owner),
        ("replaced by", change.replaced_by or ""),
        ("what happened", change.outcome_text),
        *((name.replace("_", " "), _value_text(value)) for name, value in sorted(evidence.items())),
        ("note", change.note),
    ]
    return [(name, text) for name, text in facts if text]


def rows_of_changes(changes: list[Change]) -> list[dict[str, Text]]:
    """A row for each change."""
    return [
        {
            "id": Text(each.id),
            "state": Text(each.state, style="yellow" if each.state is State.UNKNOWN else ""),
            "when (UTC)": Text(sent_or_asked(each)),
            "by": Text(each.channel or "–"),
            "change": Text(escape_controls(title_of(each))),
        }
        for each in changes
    ]


def sent_or_asked(change: Change) -> str:
    """When it was sent; when it was proposed, if it was not."""
    if change.sent_at:
        return f"sent {change.sent_at:%Y-%m-%d %H:%M}"
    return f"asked {change.proposed_at:%Y-%m-%d %H:%M}"


def standing(text: str, change: Change) -> str:
    """Fills in one of the texts of `replies` about the state of a change."""
    return text.format(
        clause=REPLIES[change.state].clause,
        happened=f" {change.outcome_text}" if change.outcome_text else "",
        title=title_of(change),
        state=change.state,
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def time_text(moment: datetime | None) -> str:
    """A time in UTC, to the second; empty for None."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _value_text(value: object) -> str:
    """A value as a short text."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value_text(each)}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
