"""What Telnyx answers about people, phone numbers, what ids stand for, limits and notifications.

As lenient as the other models: every field may be absent or null, every enum may grow, unknown fields
are kept. What is named like a secret (`external_pin`, `v1_secret`, `api_key`, `api_token`) is dropped
as it is read, however deep it lies, so that no later use of a model can show it.

Source: Telnyx's OpenAPI document of 2026-07-16; spend limits of 2026-10-03.
"""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from telnyx_mcp.telnyx.models import ApiModel, Count
from telnyx_mcp.untrusted.names import secret_word


class AccountModel(ApiModel):
    """The base of all: holds no secrets."""

    @model_validator(mode="before")
    @classmethod
    def _drop_secrets(cls, data: Any) -> Any:
        return _without_secrets(data)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_secrets(inner) for name, inner in value.items() if not secret_word(name)
        }
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value


class UserGroup(AccountModel):
    id: str | None = None
    name: str | None = None


class OrganizationUser(AccountModel):
    """A person who can sign in. `groups` comes only on request."""

    id: str | None = None
    record_type: str | None = None
    email: str | None = None
    user_status: str | None = None
    created_at: str | None = None
    last_sign_in_at: str | None = None
    organization_user_bypasses_sso: bool | None = None
    groups: list[UserGroup] | None = None


class PhoneNumber(AccountModel):
    """A number of the account, from either list of them. Only the charges state what it costs.

    `phone_number_type` may be a former name: `longcode`, `tollfree`, `shortcode`.
    """

    id: str | None = None
    phone_number: str | None = None
    phone_number_type: str | None = None
    country_iso_alpha2: str | None = None
    status: str | None = None
    tags: list[str] | None = None
    customer_reference: str | None = None
    connection_id: str | None = None
    connection_name: str | None = None
    messaging_profile_id: str | None = None
    messaging_profile_name: str | None = None
    billing_group_id: str | None = None
    emergency_enabled: bool | None = None
    emergency_status: str | None = None
    purchased_at: str | None = None
    created_at: str | None = None
    activated_at: str | None = None
    updated_at: str | None = None


class MessagingProfile(AccountModel):
    """`daily_spend_limit` is in USD, and counts until midnight UTC."""

    id: str | None = None
    name: str | None = None
    enabled: bool | None = None
    daily_spend_limit: str | None = None
    daily_spend_limit_enabled: bool | None = None
    whitelisted_destinations: list[str] | None = None
    webhook_url: str | None = None
    webhook_failover_url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Connection(AccountModel):
    id: str | None = None
    record_type: str | None = None
    connection_name: str | None = None
    active: bool | None = None
    tags: list[str] | None = None
    outbound_voice_profile_id: str | None = None
    webhook_event_url: str | None = None
    webhook_event_failover_url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class BillingGroup(AccountModel):
    """`deleted_at` is null while the group exists."""

    id: str | None = None
    name: str | None = None
    organization_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    deleted_at: str | None = None


class SpendLimitSetting(AccountModel):
    """The limit as somebody set it: in USD, or `unlimited`. `origin` is `self_service` or `operator`."""

    amount: str | None = None
    unlimited: bool | None = None
    origin: str | None = None
    updated_at: str | None = None


class SpendLimitBlock(AccountModel):
    """`blocked_until` is the first day, in UTC, on which the product works again."""

    detected_at: str | None = None
    spend_usd: str | None = None
    limit_usd: str | None = None
    blocked_until: str | None = None


class SpendLimit(AccountModel):
    """What a product may cost in the current UTC day (`daily`) or month (`monthly`), and what it did.

    `effective_limit_usd` is null where nothing limits it; `spend_usd` is null where `spend_error` says
    why. `period_end` is not included.
    """

    product: str | None = None
    product_name: str | None = None
    period: str | None = None
    period_start: str | None = None
    period_end: str | None = None
    limit: SpendLimitSetting | None = None
    effective_limit_usd: str | None = None
    spend_usd: str | None = None
    spend_error: str | None = None
    blocked: bool | None = None
    block: SpendLimitBlock | None = None


class NotificationEvent(AccountModel):
    """Something that a user can be notified of: `Low Available Credit`."""

    id: str | None = None
    name: str | None = None
    notification_category: str | None = None
    enabled: bool | None = None


class NotificationEventCondition(AccountModel):
    """When an event is notified, and over which channels it can be."""

    id: str | None = None
    notification_event_id: str | None = None
    name: str | None = None
    description: str | None = None
    associated_record_type: str | None = None
    supported_channels: list[str] | None = None
    allow_multiple_channels: bool | None = None
    enabled: bool | None = None


class NotificationProfile(AccountModel):
    """A named set of channels."""

    id: str | None = None
    name: str | None = None


class NotificationChannel(AccountModel):
    """`channel_destination` is an address, a phone number or a URL, which may hold a password."""

    id: str | None = None
    notification_profile_id: str | None = None
    channel_type_id: str | None = None
    channel_destination: str | None = None


class NotificationParameter(AccountModel):
    name: str | None = None
    value: str | None = None


class NotificationSetting(AccountModel):
    """Joins a condition with a profile, and with one of its channels; without a channel, with all of
    them. Nobody is notified where `status` is `deleted` or on its way there."""

    id: str | None = None
    notification_event_condition_id: str | None = None
    notification_profile_id: str | None = None
    notification_channel_id: str | None = None
    associated_record_type: str | None = None
    associated_record_type_value: str | None = None
    status: str | None = None
    parameters: list[NotificationParameter] | None = None


class SessionEventCost(AccountModel):
    """`cumulative_cost` includes everything below the event, whether it is shown or not."""

    event_cost: str | None = None
    cumulative_cost: str | None = None
    currency: str | None = None


class SessionEvent(AccountModel):
    """One event of a session, with the events below it down to the requested depth. `product` differs
    from the product of usage reports: `callcontrol-cdrs`."""

    id: str | None = None
    product: str | None = None
    event_name: str | None = None
    cost: SessionEventCost | None = None
    record: dict[str, Any] | None = None
    children: list[SessionEvent] | None = None


class SessionCost(AccountModel):
    total: str | None = None
    currency: str | None = None


class SessionMeta(AccountModel):
    event_count: Count | None = None
    products: list[str] | None = None


class SessionAnalysis(AccountModel):
    """What a call cost, all in, as a tree of events."""

    session_id: str | None = None
    cost: SessionCost | None = None
    root: SessionEvent | None = None
    meta: SessionMeta | None = None
