"""Who Telnyx notifies when the available credit is low.

Telnyx has no list of that: a setting joins a condition of an event with a profile or one of its
channels, so five lists are read and joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
from pydantic import Field

from telnyx_mcp.telnyx.account_models import (
    NotificationChannel,
    NotificationEvent,
    NotificationEventCondition,
    NotificationProfile,
    NotificationSetting,
)
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.pagination import Scan
from telnyx_mcp.tools.framework.results import Row

SECONDS = 10.0
"""How long a call waits for these lists, which are not its main answer."""
_DOMAIN = re.compile(r"[\w.-]{1,253}")


@dataclass(slots=True)
class _Lists:
    events: list[NotificationEvent] = field(default_factory=list)
    conditions: list[NotificationEventCondition] = field(default_factory=list)
    settings: list[NotificationSetting] = field(default_factory=list)
    profiles: list[NotificationProfile] = field(default_factory=list)
    channels: list[NotificationChannel] = field(default_factory=list)
    missing: str = ""
    """Why a list is missing, or not whole; empty if all were read."""


class Recipient(Row):
    """A recipient of the notice."""

    channel: str | None = Field(None, description="How the notice is sent, such as email or sms.")
    to: str | None = Field(None, description="Address, number or URL, masked.")
    profile: str | None = Field(None, description="Name of the notification profile.")


class LowCreditNotice(Row):
    """The recipients of the notice, or why they are unknown."""

    sent_to: list[Recipient] | None = Field(
        None, description="Recipients of the notice; empty if there are none."
    )
    unknown: str | None = Field(None, description="Why the recipients are unknown.")


async def low_credit_notice(client: TelnyxClient) -> LowCreditNotice:
    """The recipients of the notice that credit is low. Raises nothing."""
    lists = await _read(client.within(SECONDS))
    if lists.missing:
        return LowCreditNotice(unknown=lists.missing)
    events = {each.id for each in lists.events if _is_low_credit(each.name)}
    conditions = [
        each
        for each in lists.conditions
        if each.notification_event_id in events or _is_low_credit(each.name)
    ]
    if not conditions:
        return LowCreditNotice(unknown="Telnyx lists no event for low credit")
    off = {each.id for each in lists.events if each.enabled is False}
    on = {
        each.id
        for each in conditions
        if each.enabled is not False and each.notification_event_id not in off
    }
    rows = [
        row
        for setting in lists.settings
        if setting.notification_event_condition_id in on and _is_on(setting)
        for row in _recipients(setting, lists)
    ]
    return LowCreditNotice(
        sent_to=[row for place, row in enumerate(rows) if row not in rows[:place]]
    )


def masked(destination: str) -> str:
    """An address, a phone number or a URL that its owner recognises and nobody else can use:
    `o…@northwind.example`, `+1…0142`, `https://hooks.northwind.example/…`."""
    if "://" in destination:
        return _masked_url(destination)
    local, at, domain = destination.rpartition("@")
    if at:
        return f"{local[:1]}…@{domain}" if _DOMAIN.fullmatch(domain) else "…"
    digits = re.sub(r"[^0-9]", "", destination)
    return f"{_country_code(destination)}…{digits[-4:]}" if len(digits) >= 7 else "…"


def _masked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}/…" if parts.hostname else "…"
    except ValueError:
        return "…"


async def _read(client: TelnyxClient) -> _Lists:
    """The five lists, read at once."""
    lists = _Lists()

    async def read(into: list[Any], fetch: Callable[..., Coroutine[Any, Any, Page[Any]]]) -> None:
        scan = Scan[Any](lambda number: fetch(page=number), lambda row: row.id)
        try:
            into.extend([row async for row in scan.rows()])
        except TelnyxError as error:
            lists.missing = lists.missing or error.summary
        else:
            lists.missing = lists.missing or scan.why

    async with anyio.create_task_group() as tasks:
        for into, fetch in (
            (lists.events, client.list_notification_events),
            (lists.conditions, client.list_notification_event_conditions),
            (lists.settings, client.list_notification_settings),
            (lists.profiles, client.list_notification_profiles),
            (lists.channels, client.list_notification_channels),
        ):
            tasks.start_soon(read, into, fetch)
    return lists


def _is_low_credit(name: str | None) -> bool:
    """Whether this is the event "Low Available Credit", or one with a similar name."""
    words = set(re.findall(r"[a-z]+", (name or "").lower()))
    return "low" in words and not words.isdisjoint({"credit", "balance"})


def _is_on(setting: NotificationSetting) -> bool:
    """Whether it is not deleted, nor about to be."""
    return bool(setting.status) and not (setting.status or "").startswith("delete")


def _recipients(setting: NotificationSetting, lists: _Lists) -> Iterator[Recipient]:
    """The channel of a setting; without one, all channels of its profile."""
    profiles = {each.id: each.name for each in lists.profiles}
    for channel in lists.channels:
        if setting.notification_channel_id:
            meant = channel.id == setting.notification_channel_id
        else:
            meant = channel.notification_profile_id == setting.notification_profile_id
        if meant:
            yield Recipient(
                channel=channel.channel_type_id,
                to=masked(channel.channel_destination or ""),
                profile=profiles.get(channel.notification_profile_id),
            )


def _country_code(number: str) -> str:
    """The country code of a number with its plus sign; empty for a number without one."""
    import phonenumbers  # takes 20 ms, and few calls need it

    try:
        return f"+{phonenumbers.parse(number).country_code}"
    except phonenumbers.NumberParseException:
        return ""
