"""An approval counts only if it was written by a process that has the API key.

Each test writes to the store as any program of the user could, with one `UPDATE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from telnyx_mcp.approval import rows
from telnyx_mcp.approval.change import LIFETIME, PAYMENT, Change, State
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.signature import LedgerSigner
from telnyx_mcp.storage.schema import changes, ticks
from telnyx_mcp.storage.store import Store
from tests.support.clock import NOW
from tests.support.ledgers import QUESTION, opened

TICK = timedelta(milliseconds=1)
SEVERAL = Policy(one_question=False)
OTHER_VALUES: dict[str, object] = {
    "amount": 1_00,
    "arguments": '{"amount":"1.00"}',
    "basis": '{"balance":"7.00"}',
    "decided_at": ticks(NOW + TICK),
    "proposed_at": ticks(NOW + TICK),
    "question_data": QUESTION.to_json() + " ",
    "operation": "update_auto_recharge_preferences",
}
"""What each column is changed to; every other text to one more letter."""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(Store(store_url)) as made:
        yield made


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return opened(store, SEVERAL)


def proposed(ledger: Ledger, amount: str = "120.00", reference: str = "invoice 7") -> Change:
    return ledger.propose(
        PAYMENT,
        {"amount": amount, "reference": reference},
        reference=reference,
        amount=Decimal(amount),
        question=QUESTION,
        basis={"balance": "3.00"},
        now=NOW,
    )


def approved(ledger: Ledger, **what: str) -> Change:
    change = ledger.approve(proposed(ledger, **what).id, "browser", NOW, by="jo")
    assert change
    return change


def stored(store: Store, change: Change) -> dict[str, Any]:
    with store.read() as connection:
        query = changes.select().where(changes.c.id == change.id)
        return dict(connection.execute(query).mappings().one())


def write(store: Store, change: Change, **values: object) -> None:
    """One `UPDATE`, as any program can make it."""
    with store.write() as connection:
        connection.execute(changes.update().where(changes.c.id == change.id).values(**values))


def refused(ledger: Ledger, change: Change) -> None:
    after = ledger.claim(change.id, NOW)
    assert after
    assert after == ledger.get(change.id, NOW)
    assert "not signed with this API key" in after.outcome_text
    assert after.state is State.VOID
    assert after.sent_at is None


def test_an_approval_as_it_was_given_is_claimed(ledger: Ledger) -> None:
    claimed = ledger.claim(approved(ledger).id, NOW)
    assert claimed
    assert claimed.state is State.SENDING


@pytest.mark.parametrize("column", [name for name in rows.SIGNED if name not in ("id", "account")])
def test_a_change_to_what_was_approved_takes_the_approval_away(
    store: Store, ledger: Ledger, column: str
) -> None:
    change = approved(ledger)
    other = OTHER_VALUES.get(column, f"{stored(store, change)[column]}x")
    assert stored(store, change)[column] != other
    write(store, change, **{column: other})
    refused(ledger, change)


def test_an_approval_moved_to_another_id_or_account_counts_for_neither(
    store: Store, ledger: Ledger
) -> None:
    change = approved(ledger)
    write(store, change, id="another")
    assert ledger.claim(change.id, NOW) is None
    claimed = ledger.claim("another", NOW)
    assert claimed
    assert claimed.state is State.VOID
    moved = approved(ledger, reference="invoice 8")
    write(store, moved, account="another")
    assert ledger.claim(moved.id, NOW) is None


@pytest.mark.parametrize("signature", [None, "", "0" * 64])
def test_an_approval_without_a_signature_does_not_count(
    store: Store, ledger: Ledger, signature: str | None
) -> None:
    change = approved(ledger)
    write(store, change, signature=signature)
    refused(ledger, change)


def test_the_signature_of_another_change_does_not_count(store: Store, ledger: Ledger) -> None:
    change, other = approved(ledger), approved(ledger, reference="invoice 8")
    write(store, change, signature=stored(store, other)["signature"])
    refused(ledger, change)


def test_the_signature_of_another_key_does_not_count(store: Store, ledger: Ledger) -> None:
    """Also of one that belongs to the same account: what was approved before a key was replaced,
    perhaps because it leaked, is asked again."""
    change = approved(ledger)
    refused(opened(store, SEVERAL, key="KEY2"), change)
    other = approved(ledger, reference="invoice 8")
    row = stored(store, other)
    forged = LedgerSigner("KEY2", store.salt()).sign({name: row[name] for name in rows.SIGNED})
    write(store, other, signature=forged)
    refused(ledger, other)


@pytest.mark.parametrize("state", [State.PROPOSED, State.DECLINED, State.EXPIRED])
def test_one_update_approves_nothing(store: Store, ledger: Ledger, state: State) -> None:
    change = proposed(ledger)
    if state is State.DECLINED:
        ledger.decline(change.id, "browser", NOW)
    elif state is State.EXPIRED:
        ledger.void(change.id, "The balance moved.", NOW)
    moment = {"decided_at": ticks(NOW), "updated_at": ticks(NOW)}
    write(store, change, state="approved", channel="browser", voided=None, **moment)
    refused(ledger, change)


@pytest.mark.parametrize("end", [State.SUCCEEDED, State.REFUSED, None])
@pytest.mark.parametrize("decision", [None, Decision("elicitation", "client 1")])
def test_one_update_sends_nothing_twice(
    store: Store, ledger: Ledger, end: State | None, decision: Decision | None
) -> None:
    change = proposed(ledger)
    if decision is None:
        ledger.approve(change.id, "browser", NOW)
    assert ledger.claim(change.id, NOW, decision)
    if end:
        ledger.record(change.id, end, "", {}, NOW)
    write(store, change, state="approved", sent_at=None, updated_at=ticks(NOW))
    refused(ledger, change)


def test_an_approval_that_is_too_old_is_not_made_young_by_an_update(
    store: Store, ledger: Ledger
) -> None:
    change = approved(ledger)
    later = NOW + LIFETIME
    write(store, change, updated_at=ticks(later), proposed_at=ticks(later))
    assert ledger.claim(change.id, later) is None
    write(store, change, decided_at=ticks(later))
    claimed = ledger.claim(change.id, later)
    assert claimed
    assert claimed.state is State.VOID


def test_a_standing_approval_needs_a_signature_too(store: Store) -> None:
    ledger = opened(store, Policy(standing_per_payment=Decimal(200), standing_per_day=Decimal(200)))
    change = proposed(ledger)
    told = {"decided_at": ticks(NOW), "updated_at": ticks(NOW)}
    write(store, change, state="approved", channel="standing", **told)
    refused(ledger, change)


@pytest.mark.parametrize("after_approval", [False, True])
def test_a_decline_needs_no_signature(store: Store, ledger: Ledger, after_approval: bool) -> None:
    change = approved(ledger) if after_approval else proposed(ledger)
    write(store, change, state="declined", signature=None)
    found = ledger.get(change.id, NOW)
    assert found
    assert found.state is State.DECLINED
    with suppress(sa.exc.NoResultFound):
        assert ledger.claim(change.id, NOW) is None


def test_a_signature_depends_on_the_key_the_store_and_every_value() -> None:
    row: dict[str, object] = dict.fromkeys(rows.SIGNED, "a")
    signer = LedgerSigner("KEY1", "salt")
    one = signer.sign(row)
    assert signer.is_valid(dict(reversed(row.items())), one)
    others = [LedgerSigner("KEY1", "other").sign(row), LedgerSigner("KEY2", "salt").sign(row)]
    others += [signer.sign({**row, name: None}) for name in rows.SIGNED]
    assert len({one, *others}) == len(others) + 1
    assert not signer.is_valid(row, None)


# --- a question that was not written by the server ---------------------------------------------------


@pytest.mark.attack(
    "One UPDATE changes the question, the amount or the figures of a payment that waits",
    "It can't be approved: a fresh question from the real figures replaces it",
)
@pytest.mark.parametrize(
    "column", [name for name in rows.SIGNED_PROPOSAL if name not in ("id", "account")]
)
@pytest.mark.parametrize("at_once", [False, True], ids=["approve", "approve and claim"])
def test_a_question_that_another_program_changed_is_not_approved(
    store: Store, ledger: Ledger, column: str, at_once: bool
) -> None:
    change = proposed(ledger)
    other = OTHER_VALUES.get(column, f"{stored(store, change)[column]}x")
    write(store, change, **{column: other})
    found = ledger.get(change.id, NOW)
    assert found
    assert found.state is State.VOID
    if at_once:
        after = ledger.claim(change.id, NOW, Decision("elicitation", ""))
    else:
        assert ledger.approve(change.id, "browser", NOW) is None
        after = ledger.get(change.id, NOW)
    assert after
    assert after.state is State.VOID
    assert after.sent_at is None
    assert "not signed with this API key" in after.outcome_text


def test_every_column_that_says_what_is_paid_or_who_approved_it_is_signed() -> None:
    proposal = "id account operation arguments reference amount question question_data basis"
    assert {*proposal.split(), "requested_via", "proposed_at"} == set(rows.SIGNED_PROPOSAL)
    assert {"channel", "decided_by", "decided_at"} == {*rows.SIGNED} - {*rows.SIGNED_PROPOSAL}


@pytest.mark.parametrize("signature", ["é" * 64, None, "", 5, b"x"])
def test_a_signature_that_cannot_be_compared_is_invalid(signature: Any) -> None:
    signer = LedgerSigner("KEY1", "salt")
    assert not signer.is_valid({"amount": 12000}, signature)
    assert not signer.is_valid({"amount": b"12000"}, signer.sign({"amount": 12000}))
    assert signer.is_valid({"amount": 12000}, signer.sign({"amount": 12000}))
