"""A store that version 1 wrote: it is brought forward, nothing is lost, and version 1 goes on using it.

What version 1 did is written out here as SQL, as a copy of it would do it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.accounts import Identity, key_hash
from telnyx_mcp.approval.change import LIFETIME, PAYMENT, Change, State
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.reasons import Blocked, ReferenceTaken, UnknownPayment, UnlinkedKey
from telnyx_mcp.storage.schema import REVISION, metadata, ticks
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.storage.url import database_at
from tests.support.clock import NOW
from tests.support.ledgers import ADDRESS, OWNER, QUESTION, opened

SALT = "0123456789abcdef0123456789abcdef"
POLICY = Policy(one_question=False)
EARLIER = NOW - timedelta(minutes=5)
DDL = (
    "CREATE TABLE telnyx_mcp_schema (version INTEGER NOT NULL, salt VARCHAR(32) NOT NULL)",
    """CREATE TABLE telnyx_mcp_changes (
        id VARCHAR(32) NOT NULL, account VARCHAR(64) NOT NULL, operation VARCHAR(64) NOT NULL,
        arguments TEXT NOT NULL, reference TEXT, amount BIGINT, question TEXT NOT NULL,
        basis TEXT NOT NULL, state VARCHAR(16) NOT NULL, channel VARCHAR(16) NOT NULL,
        owner TEXT NOT NULL, secret_hash VARCHAR(64) NOT NULL, happened TEXT NOT NULL,
        evidence TEXT NOT NULL, note TEXT NOT NULL, proposed_at BIGINT NOT NULL, sent_at BIGINT,
        updated_at BIGINT NOT NULL, PRIMARY KEY (id))""",
    "CREATE INDEX telnyx_mcp_changes_by_state "
    "ON telnyx_mcp_changes (account, operation, state, updated_at)",
)
INSERT = """INSERT INTO telnyx_mcp_changes (id, account, operation, arguments, reference, amount,
    question, basis, state, channel, owner, secret_hash, happened, evidence, note, proposed_at,
    sent_at, updated_at)
    VALUES (:id, :account, :operation, :arguments, :reference, :amount, :question, '{}', :state,
    :channel, :owner, '', '', '{}', '', :at, :sent_at, :at)"""
SELECT = """SELECT id, account, operation, arguments, reference, amount, question, basis, state,
    channel, owner, secret_hash, happened, evidence, note, proposed_at, sent_at, updated_at
    FROM telnyx_mcp_changes WHERE account = :account"""
OF_REVISION_4 = (
    *("requester_issuer", "requester_subject", "requester_name", "decider_issuer"),
    *("decider_subject", "approvers_needed", "expires_at"),
)
TO_3 = (
    *(f"ALTER TABLE telnyx_mcp_changes DROP COLUMN {column}" for column in OF_REVISION_4),
    *(f"DROP TABLE telnyx_mcp_{table}" for table in ("approvals", "notices", "sessions")),
)
UNDONE = {2: (*TO_3, "ALTER TABLE telnyx_mcp_changes DROP COLUMN seen_at"), 3: TO_3}
"""What takes a store of this version back to an earlier revision."""
STATES = ("proposed", "approved", "succeeded", "refused", "not_sent", "declined", "expired")
DECLINED_AT = EARLIER - LIFETIME
"""So long ago that another payment may be proposed again."""
SENT = ("sending", "succeeded", "refused", "not_sent", "unknown")


class Version1:
    """What a copy of version 1 does with a store, for one API key."""

    def __init__(self, url: str, key: str = "KEY1") -> None:
        self.engine = sa.create_engine(url)
        self.account = key_hash(SALT, ADDRESS, key)

    def make(self) -> None:
        with self.engine.begin() as connection:
            for statement in DDL:
                connection.execute(sa.text(statement))
            connection.execute(
                sa.text("INSERT INTO telnyx_mcp_schema VALUES (1, :salt)"), {"salt": SALT}
            )

    def write(self, id: str, state: str, amount: int = 1000, reference: str | None = None) -> None:
        arguments = {"amount": f"{amount / 100:.2f}", "reference": reference or id}
        row = {
            "id": id,
            "account": self.account,
            "operation": PAYMENT,
            "arguments": json.dumps(arguments, sort_keys=True, separators=(",", ":")),
            "reference": reference,
            "amount": amount,
            "question": f"Pay {arguments['amount']}?\nBalance: 3.00\nNOTE: look twice",
            "state": state,
            "channel": "" if state in ("proposed", "expired") else "elicitation",
            "owner": "elsewhere/1/1" if state in SENT else "",
            "at": ticks(DECLINED_AT if state == "declined" else EARLIER),
            "sent_at": ticks(EARLIER) if state in SENT else None,
        }
        with self.engine.begin() as connection:
            connection.execute(sa.text(INSERT), row)

    def read(self) -> dict[str, str]:
        """The states by id, after the check that version 1 makes when it opens a store."""
        with self.engine.connect() as connection:
            version = connection.execute(sa.text("SELECT version FROM telnyx_mcp_schema")).scalar()
            assert version == 1
            found = connection.execute(sa.text(SELECT), {"account": self.account}).mappings()
            return {row["id"]: row["state"] for row in found}

    def move(self, id: str, start: str, end: str) -> int:
        with self.engine.begin() as connection:
            done = connection.execute(
                sa.text(
                    "UPDATE telnyx_mcp_changes SET state = :end, channel = 'terminal', "
                    "updated_at = :at WHERE id = :id AND account = :account AND state = :start"
                ),
                {"id": id, "account": self.account, "start": start, "end": end, "at": ticks(NOW)},
            )
            return done.rowcount


@pytest.fixture
def old(store_url: str) -> Iterator[Version1]:
    """A store of version 1, with a change in every state."""
    if store_url.startswith("sqlite"):
        file = database_at(store_url).file
        assert file
        file.parent.mkdir(mode=0o700)
    version_1 = Version1(store_url)
    version_1.make()
    for state in STATES:
        version_1.write(f"a-{state}", state)
    version_1.write("a-named", "succeeded", 12_000, "invoice 7")
    yield version_1
    version_1.engine.dispose()


@pytest.fixture
def ledger(old: Version1, store_url: str) -> Iterator[Ledger]:
    """The new version's, on the old store."""
    with closing(opened(Store(store_url), POLICY)) as made:
        yield made


def new(ledger: Ledger, reference: str) -> Change:
    return ledger.propose(
        PAYMENT,
        {"amount": "20.00", "reference": reference},
        reference=reference,
        amount=Decimal(20),
        question=QUESTION,
        basis={},
        now=NOW,
    )


def test_every_row_and_the_salt_are_kept(old: Version1, ledger: Ledger, store_url: str) -> None:
    found = {each.id: each.state for each in ledger.newest(100, NOW)}
    kept = {f"a-{state}": State(state) for state in STATES}
    unsigned = dict.fromkeys(("a-proposed", "a-approved"), State.VOID)
    assert found == {**kept, **unsigned, "a-named": "succeeded"}
    with closing(Store(store_url)) as store:
        assert store.salt() == SALT
    assert ledger.spent(NOW).day == Decimal(130)


def test_the_question_of_an_old_row_is_shown_as_it_was(ledger: Ledger) -> None:
    change = ledger.get("a-proposed", NOW)
    assert change
    assert change.question.text == "Pay 10.00?\nBalance: 3.00\nNOTE: look twice"
    assert change.question.typed == "10.00"
    assert ledger.get("a-proposed", EARLIER + LIFETIME) != change


def test_an_old_proposal_and_an_old_approval_are_asked_again_as_they_are_not_signed(
    ledger: Ledger,
) -> None:
    for name, decision in (
        ("a-proposed", Decision("elicitation", "client 1")),
        ("a-approved", None),
    ):
        claimed = ledger.claim(name, NOW, decision)
        assert claimed
        assert claimed.state is State.VOID
        assert "not signed" in claimed.outcome_text


def test_old_references_and_caps_hold(ledger: Ledger) -> None:
    with pytest.raises(Blocked) as blocked:
        ledger.find(PAYMENT, {"amount": "1.00"}, "invoice 7", NOW)
    assert isinstance(blocked.value.reason, ReferenceTaken)
    assert ledger.refusal(PAYMENT, Decimal("500.00"), None, NOW) is None
    capped = ledger.refusal(PAYMENT, Decimal("500.01"), None, NOW)
    assert capped is not None


@pytest.mark.parametrize("state", ["unknown", "sending"])
def test_an_old_payment_of_unknown_outcome_still_blocks(
    old: Version1, store_url: str, state: str
) -> None:
    """Also one that was being sent when its server ended."""
    old.write("lost", state)
    with closing(opened(Store(store_url), POLICY)) as ledger:
        refusal = ledger.refusal(PAYMENT, Decimal(1), None, NOW)
        assert isinstance(refusal, UnknownPayment)
        assert ledger.resolve("lost", paid=True, note="in the portal", now=NOW)
        assert ledger.refusal(PAYMENT, Decimal(1), None, NOW) is None


def test_a_new_key_of_an_old_account_is_linked_once_telnyx_named_the_account(
    old: Version1, ledger: Ledger, store_url: str
) -> None:
    """The account has no user yet when it is brought forward: the old key's next change learns it."""
    with closing(opened(Store(store_url), POLICY, key="KEY2")) as rotated:
        assert rotated.spent(NOW).day == Decimal(130)


def test_a_new_key_on_an_old_store_is_asked_about_before_that(
    old: Version1, store_url: str
) -> None:
    with closing(Store(store_url)) as store:
        with pytest.raises(Blocked) as blocked:
            opened(store, POLICY, key="KEY2", identity=OWNER, profile="new")
        assert isinstance(blocked.value.reason, UnlinkedKey)


# --- version 1 goes on ---------------------------------------------------------------------------


def test_version_1_reads_what_the_new_version_wrote(old: Version1, ledger: Ledger) -> None:
    written = new(ledger, "invoice 9")
    voided = new(ledger, "invoice 10")
    ledger.void(voided.id, "The balance moved.", NOW)
    sent = new(ledger, "invoice 11")
    assert ledger.claim(sent.id, NOW, Decision("elicitation", "client 1"))
    states = old.read()
    assert [states[each.id] for each in (written, voided, sent)] == [
        "proposed",
        "expired",
        "sending",
    ]


def test_the_new_version_sees_what_version_1_writes_afterwards(
    old: Version1, ledger: Ledger
) -> None:
    mine = new(ledger, "invoice 9")
    assert old.move(mine.id, "proposed", "declined") == 1
    old.write("later", "succeeded", 5_000, "invoice 12")
    found = {each.id: each for each in ledger.newest(100, NOW)}
    assert found[mine.id].state is State.DECLINED
    assert found["later"].amount == 50
    assert ledger.spent(NOW).day == Decimal(180)
    old.write("lost", "unknown")
    assert isinstance(ledger.refusal(PAYMENT, Decimal(1), None, NOW), UnknownPayment)


def test_what_version_1_writes_with_a_replaced_key_counts(
    old: Version1, ledger: Ledger, store_url: str
) -> None:
    with closing(opened(Store(store_url), POLICY, key="KEY2")):
        other = Version1(store_url, "KEY2")
        other.write("later", "succeeded", 5_000)
        other.engine.dispose()
    assert ledger.spent(NOW).day == Decimal(180)


def test_what_version_1_writes_with_a_key_of_its_own_is_an_account_to_be_asked_about(
    store_url: str,
) -> None:
    with closing(Store(store_url)) as store:
        salt = store.salt()
        other = Version1(store_url, "KEY1")
        other.account = key_hash(salt, ADDRESS, "KEY1")
        other.write("later", "unknown", 5_000)
        with pytest.raises(Blocked) as blocked:
            opened(store, POLICY, key="KEY2", identity=OWNER, profile="new")
        assert isinstance(blocked.value.reason, UnlinkedKey)
        mine = Ledger.of(store, "KEY1", ADDRESS, ProcessIdentity.this_process(), POLICY)
        assert mine.is_linked()
        mine.identify(Identity("user-1"), NOW)
        assert mine.refusal(PAYMENT, Decimal(1), None, NOW)
        assert opened(store, POLICY, key="KEY3").refusal(PAYMENT, Decimal(1), None, NOW)
        other.engine.dispose()


# --- once ----------------------------------------------------------------------------------------


def test_bringing_it_forward_twice_or_by_several_at_once_is_harmless(
    old: Version1, store_url: str
) -> None:
    def open_it(_: int) -> tuple[int, Decimal]:
        with closing(Store(store_url)) as store:
            ledger = opened(store, POLICY)
            return len(ledger.newest(100, NOW)), ledger.spent(NOW).day

    with ThreadPoolExecutor(6) as threads:
        found = set(threads.map(open_it, range(6)))
    assert found == {(len(STATES) + 1, Decimal(130))}
    assert open_it(0) == (len(STATES) + 1, Decimal(130))
    with old.engine.connect() as connection:
        format_ = connection.execute(sa.text("SELECT version, revision FROM telnyx_mcp_schema"))
        assert [tuple(each) for each in format_] == [(1, REVISION)]
        accounts = connection.execute(sa.text("SELECT id FROM telnyx_mcp_accounts")).scalars()
        assert list(accounts) == [old.account]


def test_a_step_that_fails_leaves_the_store_to_version_1(old: Version1, store_url: str) -> None:
    with (
        old.engine.begin() as connection
    ):  # one of the tables that the step makes, after its columns
        connection.execute(sa.text("CREATE TABLE telnyx_mcp_keys (anything TEXT)"))
    with closing(Store(store_url)) as store, pytest.raises(StoreError, match="already exists"):
        store.salt()
    assert len(old.read()) == len(STATES) + 1
    columns = {each["name"] for each in sa.inspect(old.engine).get_columns("telnyx_mcp_changes")}
    assert "signature" not in columns


@pytest.mark.parametrize("revision", [2, 3])
def test_a_store_of_an_earlier_revision_is_brought_forward_with_its_rows(
    store_url: str, revision: int
) -> None:
    with closing(Store(store_url)) as store:
        first = new(opened(store, POLICY), "invoice 1")
        with store.write() as connection:
            for statement in UNDONE[revision]:
                connection.execute(sa.text(statement))
            connection.execute(sa.text(f"UPDATE telnyx_mcp_schema SET revision = {revision}"))
    with closing(Store(store_url)) as store:
        ledger = opened(store, Policy(one_question=False))
        assert ledger.get(first.id, NOW) == first
        new(ledger, "invoice 2")
        with store.read() as connection:
            row = connection.execute(sa.text("SELECT version, revision FROM telnyx_mcp_schema"))
            assert row.one() == (1, REVISION)
            for table in metadata.tables.values():  # as the code expects them
                connection.execute(sa.select(table))
