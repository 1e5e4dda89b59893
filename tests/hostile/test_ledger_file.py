"""What a program of the same user can make of the ledger's file, without the API key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.cli.ledger import show_change, show_changes
from telnyx_mcp.cli.ledger_session import LedgerSession
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.checks import run_checks
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.schema import changes
from telnyx_mcp.storage.store import Store, StoreError
from tests.support.client import call, text_of
from tests.support.clock import NOW
from tests.support.person import PAY, pays, running

SMALL, LARGE = {"amount": "20.00"}, {"amount": "450.00"}


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[AccountServer]:
    fixed = settings.model_copy(update={"approval": "terminal"})
    built = build_server(fixed, now=lambda: NOW)
    yield built
    await built.accounts.aclose()


def stored(store: Store, id: str) -> dict[str, Any]:
    with store.read() as connection:
        query = changes.select().where(changes.c.id == id)
        return dict(connection.execute(query).mappings().one())


def insert(store: Store, row: dict[str, Any]) -> None:
    with store.write() as connection:
        connection.execute(changes.insert().values(row))


def write(store: Store, id: str, **values: object) -> None:
    with store.write() as connection:
        connection.execute(changes.update().where(changes.c.id == id).values(**values))


async def approved(server: AccountServer, ledger: Ledger) -> Change:
    """A small payment that the person approved, and that was not sent yet."""
    await call(server, PAY, SMALL)
    (change,) = ledger.newest(1, NOW)
    found = ledger.approve(change.id, "terminal", NOW, "jo")
    assert found
    return found


@pytest.mark.attack(
    "A forged row names an approved payment as what replaced it, with a larger amount",
    "The approval is used for what was approved only",
)
@pytest.mark.parametrize("state", [State.PROPOSED, State.APPROVED])
async def test_an_approval_is_not_used_for_another_payment_that_points_to_it(
    server: AccountServer, ledger: Ledger, store: Store, sandbox: Sandbox, state: State
) -> None:
    small = await approved(server, ledger)
    forged = {"id": "f" * 16, "arguments": '{"amount":"450.00"}', "replaced_by": small.id}
    insert(store, {**stored(store, small.id), **forged, "state": state})
    await call(server, PAY, LARGE)
    assert sandbox.payments == []


async def test_changes_that_replace_each_other_in_a_circle_hold_nothing_up(
    server: AccountServer, ledger: Ledger, store: Store, sandbox: Sandbox
) -> None:
    small = await approved(server, ledger)
    row = stored(store, small.id)
    for this, other in (("a" * 16, "b" * 16), ("b" * 16, "a" * 16)):
        circle = {"id": this, "state": "expired", "voided": "x", "replaced_by": other}
        insert(store, {**row, **circle})
    forged = {"id": "c" * 16, "state": "proposed", "replaced_by": "a" * 16}
    ledger.decline(small.id, "terminal", NOW, approved_too=True)
    insert(store, {**row, **forged})
    await call(server, PAY, SMALL)
    assert sandbox.payments == []


@pytest.mark.attack(
    "The row of an approved payment is put back after it was sent",
    "The process that sent it does not send it again",
)
async def test_a_row_that_is_put_back_as_it_was_is_not_sent_again(
    server: AccountServer, ledger: Ledger, store: Store, sandbox: Sandbox
) -> None:
    change = await approved(server, ledger)
    before = stored(store, change.id)
    await call(server, PAY, SMALL)
    assert len(sandbox.payments) == 1
    sandbox.account.balance -= 20  # or the moved balance would void it
    write(store, **before)
    again = await call(server, PAY, SMALL)
    assert len(sandbox.payments) == 1
    assert "Done" not in text_of(again)


async def test_a_question_that_another_program_wrote_is_never_shown(
    server: AccountServer, ledger: Ledger, store: Store
) -> None:
    """Read once, it is shown: that the row was put right before it is looked at again is too late."""
    await call(server, PAY, SMALL)
    (change,) = ledger.newest(1, NOW)
    write(store, change.id, question_data=change.question.to_json().replace("20.00", "10.00"))
    read = ledger.get(change.id, NOW)
    assert read
    assert read.state is State.VOID
    assert [each.state for each in ledger.newest(9, NOW)] == [State.VOID]


DEEP = "[" * 100_000
DAMAGE = [
    ("arguments", DEEP),
    ("basis", DEEP),
    ("evidence", DEEP),
    ("question_data", DEEP),
    ("question_data", "[]"),
    ("sent_at", 10**17),
    ("amount", -1200),
    ("amount", 10**17),
    ("operation", b"\xff"),
    ("channel", b"\xff"),
    ("reference", b"\xff"),
    ("basis", "{"),
    ("basis", "[]"),
    ("arguments", "x"),
    ("arguments", b"\xff\xfe"),
    ("evidence", "[]"),
    ("question_data", "{}"),
    ("updated_at", 10**17),
    ("proposed_at", "yesterday"),
    ("sent_at", "x"),
    ("amount", "much"),
    ("amount", None),
    ("amount", 1.5),
]


@pytest.mark.parametrize(
    ("column", "value"),
    [*DAMAGE, ("state", "foo"), ("state", ""), ("signature", "ü"), ("signature", b"x")],
)
async def test_a_damaged_row_that_waits_is_listed_and_sends_nothing(
    server: AccountServer,
    ledger: Ledger,
    store: Store,
    sandbox: Sandbox,
    column: str,
    value: object,
) -> None:
    change = await approved(server, ledger)
    write(store, change.id, **{column: value})
    listed = text_of(await call(server, "telnyx_list_changes"))
    assert change.id in listed
    assert "Traceback" not in listed + text_of(await call(server, PAY, {"amount": "30.00"}))
    assert sandbox.payments == []


@pytest.mark.parametrize(
    ("column", "value"), [*DAMAGE, ("state", "settled"), ("state", ""), ("note", b"\xff")]
)
async def test_a_damaged_row_of_a_payment_hides_no_other_and_blocks_until_a_person_resolves_it(
    server: AccountServer,
    ledger: Ledger,
    store: Store,
    sandbox: Sandbox,
    column: str,
    value: object,
) -> None:
    paid = await approved(server, ledger)
    await call(server, PAY, SMALL)
    assert len(sandbox.payments) == 1
    write(store, paid.id, **{column: value})
    found = ledger.get(paid.id, NOW)
    assert found
    if column != "note":  # which says nothing of money
        assert found.state is State.UNKNOWN
        assert "can't be read" in found.outcome_text
        blocked = text_of(await call(server, PAY, {"amount": "30.00"}))
        assert f"resolve {paid.id}" in blocked
        assert ledger.resolve(paid.id, paid=True, note="Found.", now=NOW)
    after = ledger.get(paid.id, NOW)
    assert after
    assert after.state is State.SUCCEEDED
    assert ledger.spent(NOW).day >= 20
    assert "30.00" in text_of(await call(server, PAY, {"amount": "30.00"}))
    listed = {each.id for each in ledger.newest(9, NOW)}
    assert len(listed) == 2
    assert len(sandbox.payments) == 1


WORDS = ("happened", "note", "owner", "requested_via", "decided_by", "replaced_by")


@pytest.mark.parametrize(("column", "value"), [*DAMAGE, *((name, b"\xff") for name in WORDS)])
async def test_a_damaged_row_is_listed_everywhere_with_what_is_wrong(
    server: AccountServer,
    ledger: Ledger,
    store: Store,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    column: str,
    value: object,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    paid = await approved(server, ledger)
    await call(server, PAY, SMALL)
    write(store, paid.id, **{column: value})
    assert not (await call(server, "telnyx_list_changes")).is_error
    shown = []
    session = LedgerSession(settings, open_ledger(settings), Terminal())
    for show in (partial(show_changes, limit=9, state=None), partial(show_change, id=paid.id)):
        for as_json in (False, True):
            assert show(session, as_json=as_json) == 0
            shown.append(capsys.readouterr().out)
    session.ledger.close()
    assert all(paid.id in each for each in shown)
    if column not in WORDS:
        assert f"{paid.id} can't be read: " in shown[0]
        assert "The record of this change can't be read (" in shown[2]


@pytest.mark.parametrize(
    ("column", "value"), [("basis", "{"), ("amount", "much"), ("state", "settled")]
)
async def test_doctor_names_a_damaged_row_and_what_is_wrong(
    server: AccountServer,
    ledger: Ledger,
    store: Store,
    settings: Settings,
    column: str,
    value: object,
) -> None:
    change = await approved(server, ledger)
    write(store, change.id, **{column: value})
    found = [each.found async for each in run_checks(settings, now=lambda: NOW)]
    assert any(f"change {change.id} in the ledger can't be read (" in each for each in found)


@pytest.mark.parametrize(("column", "value"), DAMAGE)
async def test_payments_are_made_again_once_a_damaged_row_is_resolved(
    settings: Settings,
    ledger: Ledger,
    store: Store,
    sandbox: Sandbox,
    column: str,
    value: object,
) -> None:
    async with running(settings) as client:
        await pays(client, amount="20.00")
        (paid,) = ledger.newest(1, NOW)
        write(store, paid.id, **{column: value})
        assert f"resolve {paid.id}" in await pays(client, amount="30.00")
        assert ledger.resolve(paid.id, paid=True, note="Found.", now=NOW)
        for amount in ("20.00", "30.00", "40.00"):
            assert "Done" in await pays(client, amount=amount, reference=amount)
    assert len(sandbox.payments) == 4
    assert 20 <= ledger.spent(NOW).day - 90 <= 500, "never less than was paid, nor without end"
    assert ledger.spent(NOW + timedelta(days=31)).month == 0


@pytest.mark.parametrize("column", ["operation", "arguments"])
async def test_a_damaged_question_is_not_asked_and_says_so(
    server: AccountServer, ledger: Ledger, store: Store, column: str
) -> None:
    change = await approved(server, ledger)
    write(store, change.id, **{column: "x"})
    gate = (await server.accounts.main.services()).gate
    with pytest.raises(NotAllowed, match=f"change {change.id} can't be asked about"):
        await gate.check(change.id)


@pytest.mark.parametrize(
    ("version", "revision"), [(0, None), (0, 0), (-1, 2), ("one", None), (2, 1), (None, None)]
)
def test_a_store_of_an_unknown_format_is_refused_with_an_explanation(
    store: Store, version: object, revision: object
) -> None:
    with store.write() as connection:
        connection.execute(sa.text("DELETE FROM telnyx_mcp_schema"))
        if version is not None:
            connection.execute(
                sa.text("INSERT INTO telnyx_mcp_schema VALUES (:version, 'salt', :revision)"),
                {"version": version, "revision": revision},
            )
    store.close()
    with pytest.raises(StoreError, match="does not say which version wrote it"), store.read():
        pass
