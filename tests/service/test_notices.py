"""Notices: what the outbox holds reaches a webhook once, signed, in text that no name can bend."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from telnyx_mcp.approval.change import PAYMENT, Approval, Change, Signatory, State
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.team.notices import NoticeKind, new_notice
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.service.notices.config import NoticesConfig
from telnyx_mcp.service.notices.delivery import (
    AGAIN_AFTER,
    SIGNATURE,
    TRIES,
    Delivery,
    Outbox,
    Webhook,
)
from telnyx_mcp.service.notices.texts import plain, text_of
from telnyx_mcp.storage.schema import notices
from telnyx_mcp.storage.store import Store
from tests.service.issuer import response
from tests.support import ledgers
from tests.support.clock import NOW, Clock
from tests.support.ledgers import QUESTION, opened

SECRET = "a-made-up-secret-of-the-notices"
ALICE = Signatory("https://id.example.com", "alice", "Alice")
LINK = "https://telnyx.example.com/changes/1"


@dataclass
class Chat:
    """The other end of the webhook."""

    statuses: list[int] = field(default_factory=list)
    """What it answers, in turn; 200 after that."""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [each.partition(": ") for each in head.split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(response(status, {}, f"location: {self.url}/elsewhere\r\n"))
        await writer.drain()
        writer.close()

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for _, body in self.got]


@asynccontextmanager
async def running_chat() -> AsyncIterator[Chat]:
    chat = Chat()
    listening = await asyncio.start_server(chat.serve, "127.0.0.1", 0)
    chat.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook/a-token"
    yield chat
    listening.close()


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_chat() as running:
        yield running


@pytest.fixture
def store() -> Iterator[Store]:
    with ledgers.sqlite() as url, closing(Store(url)) as made:
        yield made


@pytest.fixture
def ledger(store: Store) -> Ledger:
    made = opened(store, Policy())
    made.announces = True
    return made


@pytest.fixture
def now() -> Clock:
    return Clock()


def proposed(ledger: Ledger, amount: str = "120.00") -> Change:
    return ledger.seen_by(Requester(ALICE)).propose(
        PAYMENT,
        {"amount": amount},
        reference=None,
        amount=Decimal(amount),
        question=QUESTION,
        basis={},
        now=NOW,
    )


def delivery(store: Store, ledger: Ledger, chat: Chat, now: Clock, **config: object) -> Delivery:
    async def find(id: str) -> Change:
        change = ledger.get(id, now())
        assert change
        return change

    webhook = Webhook(SecretStr(chat.url), SecretStr(SECRET))
    settings = NoticesConfig.model_validate(config)
    return Delivery(Outbox(store, now), webhook, settings, find, "https://x/{}".format, now)


async def deliver(made: Delivery) -> None:
    async with httpx2.AsyncClient(verify=False) as http:
        await made.deliver(http)


def row(store: Store) -> sa.RowMapping:
    with store.read() as connection:
        return connection.execute(notices.select()).mappings().one()


async def test_a_proposal_is_announced_once_with_its_page_and_without_the_amount(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    change = proposed(ledger)
    first, second = (delivery(store, ledger, chat, now) for _ in range(2))
    await asyncio.gather(deliver(first), deliver(second))
    await deliver(first)
    assert chat.texts == [
        "Alice asks for a payment. It waits for an approval until 2026-06-16 12:00 UTC: "
        f"https://x/{change.id}"
    ]
    assert row(store)["sent_at"]


async def test_a_notice_is_signed(store: Store, ledger: Ledger, chat: Chat, now: Clock) -> None:
    proposed(ledger)
    await deliver(delivery(store, ledger, chat, now))
    [(headers, body)] = chat.got
    at, made = (part.partition("=")[2] for part in headers[SIGNATURE].split(","))
    assert int(at) == int(NOW.timestamp())
    assert made == hmac.digest(SECRET.encode(), f"{at}.".encode() + body, "sha256").hex()


async def test_the_amount_is_named_only_where_the_operator_wants_that(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    proposed(ledger)
    await deliver(delivery(store, ledger, chat, now, with_amounts=True))
    assert "a payment of 120.00" in chat.texts[0]


async def test_microsoft_teams_gets_a_card(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    change = proposed(ledger)
    await deliver(delivery(store, ledger, chat, now, format="adaptive_card"))
    [attachment] = json.loads(chat.got[0][1])["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["body"][0]["text"].startswith("Alice asks for a payment.")
    assert card["actions"][0]["url"] == f"https://x/{change.id}"


async def test_what_is_not_to_be_announced_is_not(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    proposed(ledger)
    await deliver(delivery(store, ledger, chat, now, kinds=["unknown"]))
    assert not chat.got
    assert row(store)["next_try_at"] is None


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_a_failed_notice_is_tried_three_times_and_then_given_up(
    store: Store,
    ledger: Ledger,
    chat: Chat,
    now: Clock,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    proposed(ledger)
    chat.statuses = [status] * (TRIES + 1)
    made = delivery(store, ledger, chat, now)
    for again in (*AGAIN_AFTER, timedelta(days=1)):
        await deliver(made)
        await deliver(made)
        now.moment += again
    assert len(chat.got) == TRIES
    assert (row(store)["next_try_at"], row(store)["error"]) == (None, f"HTTP {status}")
    assert "a-token" not in caplog.text


async def test_a_chat_that_does_not_answer_is_tried_again(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    proposed(ledger)
    silent = replace(chat, url="http://127.0.0.1:1/a-token")
    await deliver(delivery(store, ledger, silent, now))
    assert row(store)["error"] == "ConnectError"
    now.moment += AGAIN_AFTER[0]
    await deliver(delivery(store, ledger, chat, now))
    assert len(chat.got) == 1


async def test_a_replica_that_ended_while_it_delivered_leaves_the_notice_to_another(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    proposed(ledger)
    assert Outbox(store, now).take()
    made = delivery(store, ledger, chat, now)
    await deliver(made)
    assert not chat.got
    now.moment += timedelta(minutes=2)
    await deliver(made)
    assert len(chat.got) == 1


async def test_a_change_that_can_not_be_read_holds_up_no_other_notice(
    store: Store, ledger: Ledger, chat: Chat, now: Clock
) -> None:
    with store.write() as connection:
        connection.execute(notices.insert().values(new_notice("lost", NoticeKind.OUTCOME, NOW)))
    change = proposed(ledger)
    made = delivery(store, ledger, chat, now)
    find = made._find

    async def find_or_fail(id: str) -> Change:
        if id == "lost":
            raise NotAllowed("The row is damaged.")
        return await find(id)

    made._find = find_or_fail
    await deliver(made)
    assert [change.id in text for text in chat.texts] == [True]


@pytest.mark.parametrize(
    ("kind", "state", "text"),
    [
        (
            NoticeKind.APPROVED,
            State.PROPOSED,
            "Bob approved a payment that Alice asked for. It needs the approval of one more person: ",
        ),
        (
            NoticeKind.OUTCOME,
            State.SUCCEEDED,
            "A payment that Alice asked for was carried out: ",
        ),
        (NoticeKind.OUTCOME, State.DECLINED, "A payment that Alice asked for was declined: "),
        (
            NoticeKind.UNKNOWN,
            State.UNKNOWN,
            "The outcome of a payment that Alice asked for is UNKNOWN. No other payment is made until "
            "somebody has found out: ",
        ),
    ],
)
def test_each_kind_says_what_happened(
    ledger: Ledger, kind: NoticeKind, state: State, text: str
) -> None:
    bob = Approval(Signatory("https://id.example.com", "bob", "Bob"), NOW)
    change = replace(proposed(ledger), state=state, approvals=(bob,))
    assert text_of(kind, change, LINK, with_amounts=False) == f"{text}{LINK}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<!channel> Alice", "channel Alice"),
        ("@here", "here"),
        ("[Pay](https://evil.example)", "Pay https evil.example"),
        ("*Alice* `x` & <b>", "Alice x b"),
        ("Zoë O'Brien-Łukasz", "Zoë O'Brien-Łukasz"),
        ("", "Somebody"),
        ("\n\n", "Somebody"),
    ],
)
def test_a_name_can_be_no_command_and_no_link(name: str, shown: str) -> None:
    assert plain(name) == shown
