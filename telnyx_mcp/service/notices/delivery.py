"""Delivers the notices of the outbox to a webhook. Of several replicas, one delivers each."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio
import httpx2
import sqlalchemy as sa
from pydantic import SecretStr

from telnyx_mcp.approval.change import Change
from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.team.notices import NoticeKind
from telnyx_mcp.service.notices.config import NoticesConfig
from telnyx_mcp.service.notices.texts import MESSAGES, text_of
from telnyx_mcp.storage.schema import notices, ticks
from telnyx_mcp.storage.store import Store
from telnyx_mcp.telnyx.certificates import certificates

SIGNATURE = "x-telnyx-account-mcp-signature"
"""The header with `t=SECONDS,v1=HEX`: HMAC-SHA-256 over `SECONDS.BODY`, keyed with the notices' secret."""
TRIES = 3
AGAIN_AFTER = (timedelta(seconds=30), timedelta(minutes=5))
"""How long a failed notice waits before the second and the third try."""
_LEASE = timedelta(seconds=60)
"""After this another replica tries again, if the one that took the notice has said nothing."""
_SECONDS = 10.0
_LOOK_EVERY = 2.0
_AT_ONCE = 10

_logger = logging.getLogger(__name__)


class Outbox:
    """The notices of all replicas. Methods block; call them in a thread."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def take(self) -> list[Mapping[str, Any]]:
        """The notices that are due, for this replica alone until their lease ends."""
        now = self._now()
        due = sa.select(notices.c.id).where(notices.c.next_try_at <= ticks(now))
        lease = {"next_try_at": ticks(now + _LEASE), "tries": notices.c.tries + 1}
        with self._store.read() as connection:  # nothing is due most of the time
            if connection.execute(due.limit(1)).first() is None:
                return []
        with self._store.write() as connection:
            ids = list(connection.execute(due.order_by("next_try_at").limit(_AT_ONCE)).scalars())
            connection.execute(notices.update().where(notices.c.id.in_(ids)).values(lease))
            taken = connection.execute(notices.select().where(notices.c.id.in_(ids)))
            return [dict(each) for each in taken.mappings()]

    def delivered(self, notice_id: str) -> None:
        """Records that a notice was delivered, or is not to be."""
        values = {"sent_at": ticks(self._now()), "next_try_at": None, "error": None}
        self._update(notice_id, values)

    def failed(self, notice_id: str, tries: int, why: str) -> None:
        """Records a failure. The notice is due again later, or given up."""
        again = AGAIN_AFTER[tries - 1] if tries < TRIES else None
        next_try = ticks(self._now() + again) if again else None
        self._update(notice_id, {"next_try_at": next_try, "error": why})

    def _update(self, notice_id: str, values: Mapping[str, Any]) -> None:
        with self._store.write() as connection:
            connection.execute(notices.update().where(notices.c.id == notice_id).values(**values))


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where notices go. The address is a secret, as it often holds a token, and is never logged."""

    url: SecretStr
    secret: SecretStr | None


class Delivery:
    """Delivers what is due. `find` gives a change by its id, `link` the address of its page."""

    def __init__(
        self,
        outbox: Outbox,
        webhook: Webhook,
        config: NoticesConfig,
        find: Callable[[str], Awaitable[Change]],
        link: Callable[[str], str],
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._outbox = outbox
        self._webhook = webhook
        self._config = config
        self._find = find
        self._link = link
        self._now = now
        self._sleep = sleep

    async def run(self) -> None:
        """Delivers until it is cancelled. A store that can't be used is tried again."""
        timeout = httpx2.Timeout(_SECONDS)
        async with httpx2.AsyncClient(timeout=timeout, verify=certificates().context) as http:
            while True:
                try:
                    await self.deliver(http)
                except NotAllowed as error:
                    _logger.warning("notices can't be read: %s", error.reason)
                await self._sleep(_LOOK_EVERY)

    async def deliver(self, http: httpx2.AsyncClient) -> None:
        """Tries every notice that is due, once. Raises `NotAllowed` if the store can't be used."""
        for notice in await in_thread(self._outbox.take):
            why = await self._why_not_delivered(notice, http)
            if why is None:
                await in_thread(self._outbox.delivered, notice["id"])
            else:
                _logger.warning("a notice of change %s failed: %s", notice["change_id"], why)
                await in_thread(self._outbox.failed, notice["id"], notice["tries"], why)

    async def _why_not_delivered(
        self, notice: Mapping[str, Any], http: httpx2.AsyncClient
    ) -> str | None:
        """Why a notice was not delivered, without the address; None if it was, or is not wanted."""
        try:
            kind = NoticeKind(notice["kind"])
        except ValueError:
            return None  # of a later version, which delivers it itself
        if kind not in self._config.kinds:
            return None
        try:
            change = await self._find(notice["change_id"])
        except NotAllowed as error:  # of this change alone, or recording this fails as well
            return error.reason
        link = self._link(change.id)
        text = text_of(kind, change, link, with_amounts=self._config.with_amounts)
        message = MESSAGES[self._config.format](text, link)
        body = json.dumps(message, ensure_ascii=True).encode()
        headers = {"content-type": "application/json", **self._signature(body)}
        url = self._webhook.url.get_secret_value()
        try:
            answer = await http.post(url, content=body, headers=headers)
        except (httpx2.HTTPError, OSError) as error:
            return type(error).__name__
        return None if answer.is_success else f"HTTP {answer.status_code}"

    def _signature(self, body: bytes) -> Mapping[str, str]:
        if self._webhook.secret is None:
            return {}
        at = int(self._now().timestamp())
        key = self._webhook.secret.get_secret_value().encode()
        made = hmac.digest(key, f"{at}.".encode() + body, "sha256").hex()
        return {SIGNATURE: f"t={at},v1={made}"}
