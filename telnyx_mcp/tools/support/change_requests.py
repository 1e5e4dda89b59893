"""Shared by the two change requests: the account's figures, deadlines, and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.question import Fact
from telnyx_mcp.approval.request import ChangeRequest, SendFailed
from telnyx_mcp.billing.money import amount_of, format_amount
from telnyx_mcp.telnyx.errors import Fate, TelnyxError
from telnyx_mcp.untrusted import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from telnyx_mcp.approval.accounts import Identity
    from telnyx_mcp.telnyx.client import TelnyxClient
    from telnyx_mcp.telnyx.models import Balance

DRAFT_SECONDS, CHECK_SECONDS, SEND_SECONDS, EVIDENCE_SECONDS = 8.0, 5.0, 20.0, 4.0
"""Seconds for each step of a call, without the wait for the user: in all under the 60 s that hosts wait."""
NOT_KNOWN = "not known"
SANDBOX = "SANDBOX"
SMALLEST_MOVE = Decimal("5.00")
"""A smaller fall of the balance is ignored, because usage is charged all the time."""

_STATE_OF = {
    Fate.NOT_SENT: State.NOT_SENT,
    Fate.REFUSED: State.REFUSED,
    Fate.UNKNOWN: State.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a request works with, beside its arguments."""

    client: TelnyxClient
    now: Callable[[], datetime]
    profile: str | None = None


class AccountRequest(ChangeRequest):
    """The base of the two requests: it identifies the account and keeps the client."""

    def __init__(self, arguments: Mapping[str, Any], around: Surroundings) -> None:
        self.arguments = arguments
        self._client = around.client
        self._now = around.now
        self._profile = around.profile

    async def identity(self) -> Identity:
        """The user that Telnyx names for the account. Only the charges state it."""
        from telnyx_mcp.approval.accounts import Identity  # with SQLAlchemy: for a change only

        today = self._now().date()
        try:
            client = self._client.within(DRAFT_SECONDS)
            summary = await client.get_charges_summary(today, today + timedelta(days=1))
        except TelnyxError:
            return Identity()
        return Identity(summary.user_id or None, summary.user_email or None)

    async def opening_facts(self) -> list[Fact]:
        """The first facts of every question: whose account it is, and whether it is a sandbox."""
        identity = await self.identity()
        named = quoted(identity.name) if identity.name else "the one of the configured API key"
        profile = f" (profile {self._profile})" if self._profile else ""
        account = Fact("Account", f"{named}{profile}")
        if self._client.sandbox:
            return [Fact(SANDBOX, "a sandbox account, no real money"), account]
        return [account]


def is_of_sandbox(change: Change) -> bool:
    """Whether the question of the change said that the account is not a real one."""
    return any(each.name == SANDBOX for each in change.question.facts)


def send_failure(error: TelnyxError) -> SendFailed:
    """A failure of Telnyx's, in the gate's terms."""
    text = error.summary if error.fate is Fate.UNKNOWN else str(error)
    seen = {"failure": error.failure, "http_status": error.status}
    evidence = {name: value for name, value in seen.items() if value is not None}
    return SendFailed(_STATE_OF[error.fate], text, evidence)


def quoted(text: str) -> str:
    """Text from Telnyx or the model for a question: one line, short, and in quotation marks where it
    could be read as one of our own lines."""
    line = one_line(text)
    plain = all(each.isalnum() or each in "@._+-" for each in line) and line.isascii()
    return line if plain and line else "“" + line.replace("“", "'").replace("”", "'") + "”"


def currency_of(balance: Balance) -> str:
    """The currency with a space in front, if it is three capital letters; else empty."""
    currency = balance.currency or ""
    is_code = len(currency) == 3 and currency.isascii() and currency.isalpha()
    return f" {currency}" if is_code and currency.isupper() else ""


def amount_text(value: object, currency: str = "") -> str:
    """An amount with its currency, or `not known` for what is not an amount."""
    amount = value if isinstance(value, Decimal) else amount_of(value)
    return NOT_KNOWN if amount is None else f"{format_amount(amount)}{currency}"


def balance_moved(before: object, now: object, amount: Decimal) -> str | None:
    """Why a question that shows the balance is no longer true; None if it is.

    A higher balance always counts: money was added. A lower balance counts if it fell by `SMALLEST_MOVE`
    or a tenth of the amount, whichever is more. Usage lowers the balance of a busy account every second;
    without this tolerance, every question would be void before it is answered.
    """
    was, is_ = amount_of(before), amount_of(now)
    if was == is_:
        return None
    if was is None or is_ is None:
        return f"The balance was {amount_text(before)} and is {amount_text(now)} now."
    if is_ < was and was - is_ < max(SMALLEST_MOVE, amount / 10):
        return None
    return f"The balance moved from {format_amount(was)} to {format_amount(is_)} since."


def payment_notes(payments: Sequence[Change], amount: Decimal) -> list[str]:
    """Notes on recent payments of the same amount, and on every one of unknown outcome."""
    return [
        f"{each.amount} was {_outcome(each.state)} at "
        f"{each.sent_at or each.updated_at:%Y-%m-%d %H:%M} UTC."
        for each in payments
        if each.amount == amount or each.state is not State.SUCCEEDED
    ]


def _outcome(state: State) -> str:
    return "already paid" if state is State.SUCCEEDED else "sent with an unknown outcome"
