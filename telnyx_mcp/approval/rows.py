"""A change as a row of the store, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa

from telnyx_mcp.approval.change import PAYMENT, Change, Signatory, State
from telnyx_mcp.approval.question import Question
from telnyx_mcp.storage.schema import ticks

T = TypeVar("T")

_DAMAGED = (ValueError, TypeError, ArithmeticError, OSError, RecursionError)
"""Raised when a column is damaged, or was written by another program."""
_MAX_CENTS = 10**13
"""Amounts beyond this are rejected as damaged, so that they do not use up a cap."""

LAST_MOMENT = 253_000_000_000_000
"""The last valid timestamp, in the year 9987: later ones can't be converted to a date."""

SIGNED_PROPOSAL = (
    *("id", "account", "operation", "arguments", "reference", "amount", "question"),
    *("question_data", "basis", "requested_via", "proposed_at"),
)
"""The columns that the signature of a proposal covers: what is asked, and from which figures."""
SIGNED = (*SIGNED_PROPOSAL, "channel", "decided_by", "decided_at")
"""The columns that the signature of an approval covers."""
SIGNED_IF_SET = (
    *("requester_issuer", "requester_subject", "requester_name", "approvers_needed", "expires_at"),
    *("decider_issuer", "decider_subject"),
)
"""Columns of revision 4 that a signature covers as well. A row without them is signed as before."""
RESOLVED_VIA = "resolved_via"
"""The name, in the evidence, of the channel on which the user resolved the change."""
UNREADABLE = (
    "The record of this change can't be read ({why}): another program changed it, a later version wrote "
    "it, or the store is damaged. Keep a copy of the store, as it may name payments."
)
SIGNED_WHILE = {State.PROPOSED: SIGNED_PROPOSAL, State.APPROVED: SIGNED}
"""The columns that the signature of a change covers while it waits."""


def signed_content(
    row: Mapping[str, Any] | sa.RowMapping, columns: Sequence[str]
) -> dict[str, Any]:
    """What a signature of these columns covers, with those of `SIGNED_IF_SET` that hold something."""
    more = {name: row[name] for name in SIGNED_IF_SET if row.get(name) is not None}
    return {name: row[name] for name in columns} | more


def new_row(
    *,
    id: str,
    account: str | None,
    operation: str,
    arguments: Mapping[str, Any],
    reference: str | None,
    amount: Decimal | None,
    question: Question,
    basis: Mapping[str, Any],
    requested_via: str,
    now: datetime,
) -> dict[str, Any]:
    """The row of a change that waits for its answer."""
    empty = dict.fromkeys(("channel", "owner", "secret_hash", "happened", "note"), "")
    return empty | {
        "id": id,
        "account": account,
        "operation": operation,
        "arguments": to_json(arguments),
        "reference": reference,
        "amount": None if amount is None else int(amount * 100),
        "question": question.text,
        "question_data": question.to_json(),
        "basis": to_json(basis),
        "state": State.PROPOSED,
        "requested_via": requested_via or None,
        "evidence": "{}",
        "proposed_at": ticks(now),
        "updated_at": ticks(now),
    }


def change_of(row: sa.RowMapping) -> Change:
    """The change of a row, in the state that is stored. One that can't be read is `unknown`, if it may
    have happened: another program may have written it."""
    try:
        return _change(row)
    except _DAMAGED as error:
        return _salvaged(row, " ".join(str(error).split())[:80])


def _salvaged(row: sa.RowMapping, why: str) -> Change:
    """What can be read of a row that is damaged."""
    evidence: dict[str, Any] = _readable(_object, row["evidence"], {})
    stored = _readable(State, row["state"], State.UNKNOWN)
    settled = RESOLVED_VIA in evidence or stored not in {State.SENDING, State.SUCCEEDED}
    updated = _readable(moment_of, row["updated_at"], datetime.fromtimestamp(0, UTC))
    return Change(
        id=_text_of(row["id"]),
        operation=_text_of(row["operation"]),
        arguments=_readable(_object, row["arguments"], {}),
        reference=None if row["reference"] is None else _text_of(row["reference"]),
        amount=_readable(_amount, row["amount"], None),
        question=Question(_text_of(row["question"])),
        basis=_readable(_object, row["basis"], {}),
        state=stored if settled else State.UNKNOWN,
        channel=_text_of(row["channel"]),
        requested_via=_text_of(row["requested_via"]),
        decided_by=_text_of(row["decided_by"]),
        owner=_text_of(row["owner"]),
        outcome_text=UNREADABLE.format(why=why),
        evidence=evidence,
        note=_text_of(row["note"]),
        proposed_at=_readable(moment_of, row["proposed_at"], updated),
        decided_at=_readable(_optional_moment, row["decided_at"], None),
        sent_at=_readable(_optional_moment, row["sent_at"], None),
        updated_at=updated,
        damage=why,
        requester=_signatory(row, "requester"),
    )


def _readable(read: Callable[[Any], T], stored: Any, default: T) -> T:
    try:
        return read(stored)
    except _DAMAGED:
        return default


def _change(row: sa.RowMapping) -> Change:
    for name in ("operation", "channel", "reference"):  # caps and references depend on these
        if not isinstance(row[name], str | None):
            raise TypeError(f"its {name} is not text")
    amount = None if row["amount"] is None else _amount(row["amount"])
    state = State(row["state"])
    if row["operation"] == PAYMENT and amount is None:
        raise ValueError("it has no amount")
    if state is State.EXPIRED and row["voided"]:
        state = State.VOID
    return Change(
        id=row["id"],
        operation=row["operation"],
        arguments=_object(row["arguments"]),
        reference=row["reference"],
        amount=amount,
        question=_question(row, amount),
        basis=_object(row["basis"]),
        state=state,
        channel=row["channel"],
        requested_via=_text_of(row["requested_via"]),
        decided_by=_text_of(row["decided_by"]),
        owner=_text_of(row["owner"]),
        outcome_text=_text_of(row["happened"]),
        evidence=_object(row["evidence"]),
        note=_text_of(row["note"]),
        proposed_at=moment_of(row["proposed_at"]),
        decided_at=_optional_moment(row["decided_at"]),
        sent_at=_optional_moment(row["sent_at"]),
        updated_at=moment_of(row["updated_at"]),
        replaced_by=_text_of(row["replaced_by"]) or None,
        closed=row["closed_at"] is not None,
        requester=_signatory(row, "requester"),
        decider=_signatory(row, "decider"),
        approvers_needed=row["approvers_needed"] or 1,
        answer_by=_optional_moment(row["expires_at"]),
    )


def _signatory(row: sa.RowMapping, role: str) -> Signatory | None:
    issuer, subject = row[f"{role}_issuer"], row[f"{role}_subject"]
    if issuer is None or subject is None:
        return None
    name = row["requester_name"] if role == "requester" else row["decided_by"]
    return Signatory(_text_of(issuer), _text_of(subject), _text_of(name))


def _question(row: sa.RowMapping, amount: Decimal | None) -> Question:
    if row["question_data"]:
        return Question.from_json(row["question_data"])
    return Question.from_text(row["question"], None if amount is None else str(amount))


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _amount(stored: object) -> Decimal:
    if not isinstance(stored, int) or not 0 < stored < _MAX_CENTS:
        raise TypeError("its amount is not a valid number of cents")
    return amount_of(stored)


def _text_of(stored: object) -> str:
    """A text column. SQLite allows any type in it."""
    if isinstance(stored, bytes):
        return stored.decode(errors="replace")
    return "" if stored is None else str(stored)


def amount_of(cents: int) -> Decimal:
    """An amount of money, with two decimals."""
    return (Decimal(cents) / 100).quantize(Decimal("0.01"))


def moment_of(stored: int) -> datetime:
    """A moment that the store keeps in milliseconds."""
    return datetime.fromtimestamp(stored / 1000, UTC)


def _optional_moment(stored: int | None) -> datetime | None:
    return None if stored is None else moment_of(stored)


def to_json(value: Mapping[str, Any]) -> str:
    """JSON that is the same for equal values, as changes are found by it."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
