"""Whose changes the ledger holds: keys come and go, the account stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.approval.accounts import Identity, LedgerAccount, key_hash
from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.reasons import Blocked, ReferenceTaken, UnknownPayment, UnlinkedKey
from telnyx_mcp.storage.schema import accounts, keys
from telnyx_mcp.storage.store import Store
from tests.support.clock import NOW
from tests.support.ledgers import ADDRESS, OWNER, QUESTION, opened

POLICY = Policy(one_question=False)
NOBODY = Identity()
LOCAL = "http://127.0.0.1:4010/v2"
ELSEWHERE = "http://127.0.0.1:4011/v2"
AMOUNT = Decimal("120.00")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(Store(store_url)) as made:
        yield made


def paid(
    ledger: Ledger,
    state: State = State.SUCCEEDED,
    amount: Decimal = AMOUNT,
    reference: str = "invoice 7",
) -> Change:
    change = ledger.propose(
        PAYMENT,
        {"amount": str(amount), "reference": reference},
        reference=reference,
        amount=amount,
        question=QUESTION,
        basis={},
        now=NOW,
    )
    assert ledger.claim(change.id, NOW, Decision("elicitation", "client 1"))
    recorded = ledger.record(change.id, state, "", {}, NOW)
    ledger.landed(change.id)
    assert recorded
    return recorded


def asks_for(reason: type[object], store: Store, **key: object) -> None:
    with pytest.raises(Blocked) as blocked:
        opened(store, POLICY, **key)  # type: ignore[arg-type]
    assert isinstance(blocked.value.reason, reason)


def count(store: Store) -> tuple[int, int]:
    """How many accounts and keys there are."""
    with store.read() as connection:
        found = [connection.execute(table.select()).all() for table in (accounts, keys)]
    return len(found[0]), len(found[1])


# --- a key that is replaced ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OWNER, OWNER),
        (OWNER, Identity("user-1", None)),
        (OWNER, Identity("user-1", "new@example.com")),
        (OWNER, Identity(None, "owner@example.com")),
        (Identity(None, "owner@example.com"), OWNER),
    ],
)
def test_a_new_key_of_the_same_user_keeps_caps_references_and_the_block(
    store: Store, before: Identity, after: Identity
) -> None:
    first = opened(store, POLICY, identity=before)
    paid(first)
    lost = paid(first, State.UNKNOWN, reference="invoice 8")
    second = opened(store, POLICY, key="KEY2", identity=after, profile="new")
    assert second.spent(NOW).day == 2 * AMOUNT
    assert second.refusal(PAYMENT, AMOUNT, None, NOW) == UnknownPayment(lost)
    with pytest.raises(Blocked) as blocked:
        second.find(PAYMENT, {"amount": "1.00"}, "invoice 7", NOW)
    assert isinstance(blocked.value.reason, ReferenceTaken)
    assert count(store) == (1, 2)


def test_the_old_key_still_opens_the_account(store: Store) -> None:
    paid(opened(store, POLICY))
    paid(opened(store, POLICY, key="KEY2"), reference="invoice 8")
    assert opened(store, POLICY, identity=NOBODY).spent(NOW).day == 2 * AMOUNT


def test_the_identity_of_the_account_is_requested_again_until_telnyx_states_it(
    store: Store,
) -> None:
    """So that a key can be replaced later, although Telnyx did not answer at first."""
    paid(opened(store, POLICY, identity=NOBODY))
    again = Ledger.of(store, "KEY1", ADDRESS, ProcessIdentity.this_process(), POLICY)
    assert (again.is_linked(), again.is_identified) == (True, False)
    again.identify(OWNER, NOW)
    assert Ledger.of(store, "KEY1", ADDRESS, ProcessIdentity.this_process(), POLICY).is_identified
    assert opened(store, POLICY, key="KEY2").spent(NOW).day == AMOUNT


def test_what_is_known_of_an_account_is_completed_and_never_overwritten(store: Store) -> None:
    def known() -> tuple[str | None, str | None, Identity]:
        (account,) = opened(store, POLICY, identity=NOBODY).known_accounts()
        return account.name, account.address, account.identity

    opened(store, POLICY, identity=Identity("user-1"))
    assert known() == (None, ADDRESS, Identity("user-1"))
    opened(store, POLICY, identity=Identity(None, "owner@example.com"), profile="work")
    assert known() == ("work", ADDRESS, OWNER)
    other_address = "https://proxy.example.com/v2"
    new = Identity("user-1", "new@example.com")
    opened(store, POLICY, key="KEY2", identity=new, address=other_address, profile="other")
    assert known() == ("work", ADDRESS, OWNER)


# --- a key that could be anybody's ---------------------------------------------------------------


def test_the_first_key_of_an_empty_store_opens_an_account(store: Store) -> None:
    opened(store, POLICY, identity=NOBODY)
    assert count(store) == (1, 1)


def test_a_key_that_telnyx_does_not_name_is_asked_about_where_there_are_changes(
    store: Store,
) -> None:
    paid(opened(store, POLICY))
    asks_for(UnlinkedKey, store, key="KEY2", identity=NOBODY, profile="new")
    assert count(store) == (1, 1)
    new = Ledger.of(store, "KEY2", ADDRESS, ProcessIdentity.this_process(), POLICY)
    (account,) = new.known_accounts()
    new.link(account.id, NOBODY, NOW)
    assert new.spent(NOW).day == AMOUNT


def test_a_key_that_is_not_linked_yet_says_that_it_hides_changes_only_where_there_are_some(
    store: Store,
) -> None:
    def of(key: str) -> Ledger:
        return Ledger.of(store, key, ADDRESS, ProcessIdentity.this_process(), POLICY)

    assert (of("KEY1").is_linked(), of("KEY1").hides_changes()) == (False, False)
    first = opened(store, POLICY)
    assert (of("KEY1").is_linked(), of("KEY2").hides_changes()) == (True, False)
    paid(first)
    assert (of("KEY1").hides_changes(), of("KEY2").hides_changes()) == (False, True)


@pytest.mark.parametrize(
    ("name", "identity", "label"),
    [
        (None, OWNER, "owner@example.com"),
        ("work", OWNER, "owner@example.com (profile work)"),
        (None, Identity("user-1"), "user-1"),
        ("work", NOBODY, "account 01234567 (profile work)"),
        (None, NOBODY, "account 01234567"),
    ],
)
def test_an_account_is_named_by_what_users_recognise(
    name: str | None, identity: Identity, label: str
) -> None:
    assert LedgerAccount("0123456789", name, ADDRESS, identity, 1).label == label


@pytest.mark.parametrize(("address", "is_local"), [(None, False), (ADDRESS, False), (LOCAL, True)])
def test_an_account_of_a_server_on_this_computer_is_known_by_its_address(
    address: str | None, *, is_local: bool
) -> None:
    assert LedgerAccount("0123456789", None, address, OWNER, 1).is_local is is_local


def test_the_user_can_say_that_it_is_another_account(store: Store) -> None:
    paid(opened(store, POLICY))
    new = Ledger.of(store, "KEY2", ADDRESS, ProcessIdentity.this_process(), POLICY)
    new.link(None, NOBODY, NOW)
    assert new.is_linked()
    assert new.spent(NOW).day == 0


@pytest.mark.parametrize(
    ("profile", "identity"),
    [
        ("main", Identity("user-2")),
        (None, Identity("user-2")),
        ("new", NOBODY),
        ("new", Identity(None, None)),
    ],
)
def test_a_key_that_is_not_certainly_of_another_account_is_asked_about(
    store: Store, profile: str | None, identity: Identity
) -> None:
    paid(opened(store, POLICY, profile="main"))
    asks_for(UnlinkedKey, store, key="KEY2", identity=identity, profile=profile)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (Identity("user-1"), Identity(None, "owner@example.com")),
        (Identity(None, "owner@example.com"), Identity("user-1")),
        (NOBODY, OWNER),
    ],
)
def test_users_that_cannot_be_compared_are_asked_about(
    store: Store, known: Identity, told: Identity
) -> None:
    paid(opened(store, POLICY, profile="main", identity=known))
    asks_for(UnlinkedKey, store, key="KEY2", identity=told, profile="new")


def test_a_new_profile_of_another_user_opens_an_account_of_its_own(store: Store) -> None:
    paid(opened(store, POLICY, profile="main"))
    other = opened(store, POLICY, key="KEY2", identity=Identity("user-2"), profile="client")
    assert other.spent(NOW).day == 0
    assert count(store) == (2, 2)


# --- addresses -----------------------------------------------------------------------------------


def test_a_sandbox_on_another_port_has_an_account_of_its_own(store: Store) -> None:
    paid(opened(store, POLICY, address=LOCAL, identity=NOBODY))
    other = opened(store, POLICY, address=ELSEWHERE, identity=NOBODY)
    assert other.spent(NOW).day == 0
    asks_for(UnlinkedKey, store, key="KEY2", address=LOCAL, identity=NOBODY)


def test_a_sandbox_beside_a_real_account_has_an_account_of_its_own_either_way(
    store: Store,
) -> None:
    paid(opened(store, POLICY, identity=NOBODY))
    local = opened(store, POLICY, address=LOCAL, identity=NOBODY)
    assert local.spent(NOW).day == 0
    paid(local)
    asks_for(UnlinkedKey, store, key="KEY2", identity=NOBODY)


def test_a_server_on_this_computer_that_names_the_same_user_opens_nothing_and_is_opened_by_nobody(
    store: Store,
) -> None:
    paid(opened(store, POLICY))
    local = opened(store, POLICY, key="KEY2", address=LOCAL)
    assert local.spent(NOW).day == 0
    paid(local)
    assert opened(store, POLICY, key="KEY3").spent(NOW).day == AMOUNT


def test_the_same_user_behind_another_port_is_the_same_account(store: Store) -> None:
    paid(opened(store, POLICY, address=LOCAL))
    assert opened(store, POLICY, address=ELSEWHERE).spent(NOW).day == AMOUNT


def test_another_address_that_leads_to_telnyx_forgets_nothing(store: Store) -> None:
    paid(opened(store, POLICY, identity=NOBODY))
    proxy = "https://telnyx.proxy.example/v2"
    asks_for(UnlinkedKey, store, address=proxy, identity=NOBODY)
    assert count(store) == (1, 1)


# --- what is kept of a key -----------------------------------------------------------------------


def test_a_key_is_kept_as_a_hash_that_differs_between_stores() -> None:
    hashes = {
        key_hash(salt, address, key)
        for salt in ("salt", "other")
        for address in (ADDRESS, LOCAL)
        for key in ("KEY1", "KEY2")
    }
    assert len(hashes) == 8
    assert key_hash("salt", ADDRESS, "KEY1") == key_hash("salt", ADDRESS, "KEY1")
    assert not any("KEY1" in each for each in hashes)


Names = st.sampled_from([None, "a", "b"])
Identities = st.builds(Identity, Names, Names)


def account_of(identity: Identity) -> LedgerAccount:
    return LedgerAccount("id", None, None, identity, 1)


@given(Identities, Identities)
def test_being_the_same_user_is_symmetric_and_certain_or_unknown(
    one: Identity, other: Identity
) -> None:
    same = account_of(one).is_same(other)
    assert account_of(other).is_same(one) is same
    comparable = (one.user_id and other.user_id) or (one.email and other.email)
    assert (same is None) == (not comparable)
    if one.user_id and other.user_id:
        assert same is (one.user_id == other.user_id)
    if one == other and one.is_known:
        assert same is True
