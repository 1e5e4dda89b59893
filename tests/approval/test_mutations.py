"""The checks that the other tests make, made on a gate that is broken on purpose: each must fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from unittest.mock import patch

import pytest

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.channels import Reply
from telnyx_mcp.approval.gate import Gate, Outcome, Wanted
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.settings import Settings
from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.errors import Fate
from telnyx_mcp.tools import changes
from tests.approval.test_fault_matrix import PAYMENT, RECHARGE, ROWS, Row, Subject, check
from tests.approval.test_ledger_machine import LedgerMachine, OnSqlite, run

LOST = next(row for row in ROWS if row.kind == "drop_after")


async def fails(settings: Settings, sandbox: Sandbox, subject: Subject, row: Row) -> None:
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True, allow_unwrapped=True):
        await check(settings, sandbox, subject, row)


async def test_a_payment_that_is_tried_again_like_a_read(
    settings: Settings, sandbox: Sandbox
) -> None:
    again = replace(op.CREATE_STORED_PAYMENT_TRANSACTION, retry=op.Retry.READ)
    with patch.object(op, "CREATE_STORED_PAYMENT_TRANSACTION", again):
        await fails(settings, sandbox, PAYMENT, LOST)
    assert len(sandbox.payments) > 1


async def test_an_auto_recharge_change_that_is_tried_again_like_a_read(
    settings: Settings, sandbox: Sandbox
) -> None:
    again = replace(op.UPDATE_AUTO_RECHARGE_PREFERENCES, retry=op.Retry.READ)
    with patch.object(op, "UPDATE_AUTO_RECHARGE_PREFERENCES", again):
        await fails(settings, sandbox, RECHARGE, LOST)


async def test_an_unknown_outcome_that_is_taken_for_a_refusal(
    settings: Settings, sandbox: Sandbox
) -> None:
    taken = {**changes._STATE_OF, Fate.UNKNOWN: State.REFUSED}
    with patch.object(changes, "_STATE_OF", taken):
        await fails(settings, sandbox, PAYMENT, LOST)


class SendsFirst(Gate):
    """Sends, and only then claims and records."""

    async def _claimed_and_sent(self, ledger: Ledger, change: Change, wanted: Wanted) -> Outcome:
        evidence = await wanted.send()
        ledger.claim(change.id, self._now())
        ledger.record(change.id, State.SUCCEEDED, "", evidence, self._now())
        return Outcome(change)


class ClaimsAnything(Ledger):
    """Claims a change whatever its state."""

    def claim(self, id: str, now: datetime) -> Change | None:
        with self._store.write() as connection:
            change = self._reread(connection, id)
            told = {"owner": str(self._owner), "sent_at": round(now.timestamp() * 1000)}
            self._set(connection, change, State.SENDING, now, **told)
            return self._reread(connection, id)


class ForgetsCaps(Ledger):
    """Claims without looking at the policy."""

    def _refusal(self, *_: object) -> None:
        return None


class WithSendsFirst(OnSqlite):
    gate = SendsFirst


class WithClaimsAnything(OnSqlite):
    ledger = ClaimsAnything


class WithForgetsCaps(OnSqlite):
    ledger = ForgetsCaps


@pytest.mark.parametrize("machine", [WithSendsFirst, WithClaimsAnything, WithForgetsCaps])
def test_the_machine_finds_it(machine: type[LedgerMachine]) -> None:
    with pytest.raises(AssertionError):
        run(machine, examples=200, steps=25)


def test_a_send_before_its_record() -> None:
    machine = WithSendsFirst()
    with pytest.raises(AssertionError, match="before it was on the disk"):
        machine.call(0, "100.00", None, Reply.APPROVED, State.SUCCEEDED)
    machine.teardown()
