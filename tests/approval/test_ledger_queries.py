"""What the ledger finds: the newest changes, those that wait, those that are damaged; and what it links."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.ledger import MARK, Decision, Ledger
from telnyx_mcp.approval.ledger_rows import MOVED
from telnyx_mcp.approval.opening import open_ledger, policy_of
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.store_memory import Remembered, StoreMemory
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.storage.schema import changes, keys
from telnyx_mcp.storage.store import Store
from tests.support.clock import NOW
from tests.support.ledgers import ADDRESS, OWNER, QUESTION, opened

MINUTE = timedelta(minutes=1)
POLICY = Policy(max_per_day=Decimal(10000), max_per_30_days=Decimal(10000), one_question=False)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(Store(store_url)) as made:
        yield made


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return opened(store, POLICY)


def proposed(ledger: Ledger, minute: float) -> Change:
    """A payment that was proposed so many minutes after noon."""
    now = NOW + minute * MINUTE
    amount = Decimal(f"{20 + minute:.2f}")
    return ledger.propose(
        PAYMENT,
        {"amount": str(amount)},
        reference=None,
        amount=amount,
        question=QUESTION,
        basis={MARK: ledger.history(now).mark},
        now=now,
    )


def paid(ledger: Ledger, minute: int) -> Change:
    """The same, sent at once."""
    change, now = proposed(ledger, minute), NOW + minute * MINUTE
    assert ledger.claim(change.id, now, Decision("elicitation", "client 1"))
    sent = ledger.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, now)
    ledger.landed(change.id)
    assert sent
    return sent


def test_the_newest_changes_are_found_by_number_state_and_time(ledger: Ledger) -> None:
    old, new, waiting = paid(ledger, 1), paid(ledger, 2), proposed(ledger, 3)
    now = NOW + 4 * MINUTE
    assert ledger.newest(9, now) == [waiting, new, old]
    assert ledger.newest(2, now) == [waiting, new]
    assert ledger.newest(1, now, state=State.SUCCEEDED) == [new]
    assert ledger.newest(9, now, since=new.updated_at) == [waiting, new]
    assert ledger.newest(9, now, since=now) == []


def test_what_waits_is_found_oldest_first(ledger: Ledger) -> None:
    paid(ledger, 0)
    late, early, middle = (proposed(ledger, second / 60) for second in (30, 10, 20))
    assert ledger.waiting(NOW + MINUTE) == [early, middle, late]


def test_damaged_changes_are_found_newest_first(ledger: Ledger, store: Store) -> None:
    first, second, third = (paid(ledger, minute) for minute in (1, 3, 2))
    paid(ledger, 4)
    broken = changes.c.id.in_([first.id, second.id, third.id])
    with store.write() as connection:
        connection.execute(changes.update().where(broken).values(arguments="{"))
    found = ledger.damaged(9, NOW + 5 * MINUTE)
    assert [each.id for each in found] == [second.id, third.id, first.id]
    assert [each.id for each in ledger.damaged(1, NOW + 5 * MINUTE)] == [second.id]


def test_only_a_question_that_waits_stops_being_true(ledger: Ledger) -> None:
    question, now = proposed(ledger, 1), NOW + 3 * MINUTE
    assert ledger.why_untrue(question, now) is None
    sent = paid(ledger, 2)
    assert ledger.why_untrue(question, now) == MOVED
    assert ledger.why_untrue(sent, now) is None


def test_the_policy_is_what_the_settings_say() -> None:
    settings = Settings(
        api_key=SecretStr("KEY1"),
        max_payment=Decimal(1),
        max_per_day=Decimal(2),
        max_per_30_days=Decimal(3),
        standing_budget_per_payment=Decimal(4),
        standing_budget_per_day=Decimal(5),
    )
    assert policy_of(settings) == Policy(
        max_payment=Decimal(1),
        max_per_day=Decimal(2),
        max_per_30_days=Decimal(3),
        standing_per_payment=Decimal(4),
        standing_per_day=Decimal(5),
    )


def test_without_an_address_and_a_key_the_users_own_file_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("telnyx_mcp.storage.store.default_file", lambda: tmp_path / "a" / "own.db")
    with closing(open_ledger(Settings())) as opened_there:
        assert opened_there.newest(1, NOW) == []
    assert (tmp_path / "a" / "own.db").exists()


# --- what the user says -----------------------------------------------------------------------------


def unlinked(store: Store, memory: StoreMemory | None = None, profile: str | None = None) -> Ledger:
    """The ledger of a new key."""
    owner = ProcessIdentity.this_process()
    return Ledger.of(store, "KEY2", ADDRESS, owner, POLICY, profile, memory)


@pytest.mark.parametrize("is_another", [False, True])
def test_a_key_is_linked_once_and_by_the_user(store: Store, *, is_another: bool) -> None:
    paid(opened(store, POLICY, identity=Identity("user-1")), 0)
    (account,) = unlinked(store).known_accounts()
    chosen, other = (None, account.id) if is_another else (account.id, None)
    new = unlinked(store, profile="work")
    new.link(chosen, Identity(None, "owner@example.com"), NOW)
    unlinked(store, profile="home").link(other, Identity(None, "another@example.com"), NOW)
    known = new.known_accounts()
    assert len(known) == 1 + is_another
    identity = Identity(None if is_another else "user-1", "owner@example.com")
    assert (known[-1].name, known[-1].identity) == ("work", identity)
    with store.read() as connection:
        query = sa.select(keys.c.account, keys.c.linked_by).where(keys.c.linked_by != "first")
        linked = [tuple(row) for row in connection.execute(query)]
    assert linked == [(known[-1].id, "user")]


def test_a_ledger_is_identified_once_telnyx_was_asked(store: Store) -> None:
    new = unlinked(store)
    before = new.is_identified
    new.identify(Identity(), NOW)
    assert (before, new.is_identified) == (False, True)
    assert not unlinked(store).is_identified


def test_the_store_that_the_user_accepts_is_remembered_with_what_was_sent_last(
    store: Store, tmp_path: Path
) -> None:
    memory = StoreMemory(tmp_path / "store.sent.json")
    memory.write(Remembered("another", "0123456789abcdef"))
    accepting = unlinked(store, memory)
    accepting.identify(OWNER, NOW)
    assert accepting.replaced()
    accepting.accept_store()
    assert memory.read() is None
    first = opened(store, POLICY)
    paid(first, 2)
    newest = paid(first, 3)
    paid(first, 1)
    proposed(first, 4)
    accepting.accept_store()
    remembered = memory.read()
    assert remembered
    with store.read() as connection:
        last = sa.select(changes.c.id).order_by(changes.c.sent_at.desc().nulls_last())
        assert remembered.last_sent == connection.execute(last).scalars().first()
    assert remembered.last_sent != newest.id, "the clock was set back, and the last one is the last"
    assert accepting.replaced() is None


def test_without_a_memory_there_is_nothing_to_accept(ledger: Ledger) -> None:
    paid(ledger, 0)
    ledger.accept_store()
    assert ledger.replaced() is None
