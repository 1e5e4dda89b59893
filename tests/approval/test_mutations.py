"""The checks that the other tests make, made on a gate that is broken on purpose: each must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import RECHARGE as RECHARGE_OPERATION
from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.request import ChangeRequest
from telnyx_mcp.approval.signature import LedgerSigner
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.storage.schema import ticks
from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.errors import Fate
from telnyx_mcp.tools.support import change_requests
from tests.support.fault_matrix import PAYMENT, RECHARGE, ROWS, Row, Subject, check
from tests.support.ledger_machine import LedgerMachine, OnSqlite, run

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
    taken = {**change_requests._STATE_OF, Fate.UNKNOWN: State.REFUSED}
    with patch.object(change_requests, "_STATE_OF", taken):
        await fails(settings, sandbox, PAYMENT, LOST)


class SendsFirst(Gate):
    """Sends, and only then claims and records."""

    async def _claim_and_send(
        self, ledger: Ledger, change: Change, request: ChangeRequest, decision: Decision | None
    ) -> Change | None:
        evidence = await request.send()
        ledger.claim(change.id, self._now(), decision)
        return ledger.record(change.id, State.SUCCEEDED, "", evidence, self._now())


class SkipsTheCheck(Gate):
    """Sends without asking Telnyx whether the question is still true."""

    async def _why_untrue(self, *_: object) -> None:
        return None


class ClaimsAnything(Ledger):
    """Claims a change whatever its state."""

    def claim(
        self, id: str, now: datetime, decision: Decision | None = None, token: str = ""
    ) -> Change | None:
        with self._store.write() as connection:
            told = {"state": State.SENDING, "owner": str(self._owner), "sent_at": ticks(now)}
            self._update(connection, id, {**told, "updated_at": ticks(now)})
            self._in_flight.add((str(self._owner), id))
            return self._reread(connection, id, now)


class ForgetsCaps(Ledger):
    """Proposes and claims without looking at the policy."""

    def _refusal(self, *_: object) -> None:
        return None


class TrustsAnyone(LedgerSigner):
    """Takes every approval for a signed one."""

    def is_valid(self, *_: object) -> bool:
        return True


class SkipsTheSignature(Ledger):
    """Claims what anybody wrote an approval of."""

    @classmethod
    def of(cls, *arguments: Any) -> Ledger:
        ledger = super().of(*arguments)
        ledger._signer = TrustsAnyone("", "")
        return ledger


class IgnoresTheMark(Ledger):
    """Claims without looking whether another change was sent since the question was written."""

    def _moved(self, *_: object) -> bool:
        return False


class AsksAtOnce(Ledger):
    """Proposes while another question is open, and soon after a decline."""

    def _make_room(self, *_: object) -> None:
        return None


class ForgetsDeclines(Ledger):
    """Proposes a payment soon after one was declined."""

    def _make_room(self, connection: sa.Connection, _: str, now: datetime) -> None:
        super()._make_room(connection, RECHARGE_OPERATION, now)


class WithSendsFirst(OnSqlite):
    gate = SendsFirst


class WithSkipsTheCheck(OnSqlite):
    gate = SkipsTheCheck


class WithClaimsAnything(OnSqlite):
    ledger = ClaimsAnything


class WithForgetsCaps(OnSqlite):
    ledger = ForgetsCaps


class WithSkipsTheSignature(OnSqlite):
    ledger = SkipsTheSignature


class WithIgnoresTheMark(OnSqlite):
    ledger = IgnoresTheMark


class WithAsksAtOnce(OnSqlite):
    ledger = AsksAtOnce


class WithForgetsDeclines(OnSqlite):
    ledger = ForgetsDeclines


APPROVED, AT_TERMINAL = AskOutcome.APPROVED, AskOutcome.AT_TERMINAL


def pays(machine: LedgerMachine) -> None:
    machine.call(0, "100.00", None, APPROVED, State.SUCCEEDED)


def pays_and_claims_again(machine: LedgerMachine) -> None:
    pays(machine)
    machine.claim(0, 1)


def pays_too_much(machine: LedgerMachine) -> None:
    machine.call(0, "501.00", None, APPROVED, State.SUCCEEDED)
    machine.spending_is_within_the_caps()


def approves_while_the_figures_move(machine: LedgerMachine) -> None:
    machine.call(0, "100.00", None, APPROVED, State.SUCCEEDED, "figures")


def approves_while_another_payment_is_sent(machine: LedgerMachine) -> None:
    machine.call(0, "100.00", None, APPROVED, State.SUCCEEDED, "payment")


def finds_an_approval_that_somebody_wrote(machine: LedgerMachine) -> None:
    machine.call(0, "100.00", None, AT_TERMINAL, None)
    machine.somebody_writes_an_approval(0, State.PROPOSED)
    pays(machine)


def asks_two_questions(machine: LedgerMachine) -> None:
    machine.call(0, "100.00", None, AT_TERMINAL, None)
    machine.call(0, "400.00", None, AT_TERMINAL, None)
    machine.one_question_is_open()


def asks_again_after_a_decline(machine: LedgerMachine) -> None:
    machine.call(0, "100.00", None, AskOutcome.DECLINED, None)
    machine.no_payment_is_proposed_soon_after_a_decline()
    machine.call(0, "400.00", None, AT_TERMINAL, None)
    machine.no_payment_is_proposed_soon_after_a_decline()


FOUND_BY = [
    (WithSendsFirst, pays, "sent before it was on the disk"),
    (WithSkipsTheCheck, approves_while_the_figures_move, "sent though the figures moved"),
    (WithClaimsAnything, pays_and_claims_again, "sent twice"),
    (WithForgetsCaps, pays_too_much, "501"),
    (WithSkipsTheSignature, finds_an_approval_that_somebody_wrote, "without a signature"),
    (WithIgnoresTheMark, approves_while_another_payment_is_sent, "the mark was untrue"),
    (WithAsksAtOnce, asks_two_questions, "more than one question"),
    (WithForgetsDeclines, asks_again_after_a_decline, "soon after a decline"),
]


@pytest.mark.parametrize(("machine", "steps", "words"), FOUND_BY)
def test_these_steps_find_it(
    machine: type[LedgerMachine], steps: Callable[[LedgerMachine], None], words: str
) -> None:
    whole, broken = OnSqlite(), machine()
    steps(whole)
    with pytest.raises(AssertionError, match=words):
        steps(broken)
    whole.teardown()
    broken.teardown()


@pytest.mark.parametrize("machine", [WithSendsFirst, WithClaimsAnything, WithForgetsCaps])
def test_the_machine_finds_it(machine: type[LedgerMachine]) -> None:
    with pytest.raises(AssertionError):
        run(machine, examples=200, steps=25)
