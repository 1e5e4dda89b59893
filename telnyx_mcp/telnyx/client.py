"""One coroutine per operation, typed in and out.

Every coroutine raises `TelnyxError`, and nothing else. Ranges of days are half-open: the day
`end_date` itself is not included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, date, datetime
from typing import Any

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.account_models import (
    BillingGroup,
    Connection,
    MessagingProfile,
    NotificationChannel,
    NotificationEvent,
    NotificationEventCondition,
    NotificationProfile,
    NotificationSetting,
    OrganizationUser,
    PhoneNumber,
    SessionAnalysis,
    SpendLimit,
)
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import (
    AuditEvent,
    AutoRechargePreferences,
    Balance,
    ChargesBreakdown,
    ChargesSummary,
    DetailRecord,
    Invoice,
    NumberCharges,
    Page,
    PageMeta,
    StoredPaymentTransaction,
    UsageReportOptions,
    UserTags,
    WebhookDelivery,
)
from telnyx_mcp.telnyx.odd_values import (
    Model,
    OddValue,
    read_leniently,
    read_rows,
    read_strictly,
)
from telnyx_mcp.telnyx.rate_limit.pacer import Waiting
from telnyx_mcp.telnyx.transport import Query, Response, Transport

_FULL_LIST_ONLY = frozenset({"port-pending"})
"""A status of numbers that the document of the slim list spells in another way."""


class TelnyxClient:
    """The account operations over one `Transport`. `waiting` is called about longer waits.

    Each request has a deadline of its own, unless the client is one that `within` made. A list has
    the largest pages that its operation allows unless `page_size` is given.
    """

    def __init__(self, transport: Transport, waiting: Waiting | None = None) -> None:
        self.transport = transport
        self._waiting = waiting
        self._deadline: Deadline | None = None
        self._parent: TelnyxClient | None = None
        self.odd_values: list[OddValue] = []
        """What was odd in the answers to this client, and to those that `within` made of it."""
        self.sandbox = False
        """Whether a sandbox, not Telnyx, gave the latest answer to this client."""
        self.date: datetime | None = None
        """When that answer was given, by Telnyx's clock."""

    def within(self, seconds: float) -> TelnyxClient:
        """A client whose requests must all end within this many seconds from now. This client also remembers
        whether its latest answer came from a sandbox, and when."""
        client = copy(self)
        client._parent = self
        client._deadline = Deadline.after(seconds, self.transport.clock)
        return client

    async def aclose(self) -> None:
        await self.transport.aclose()

    async def get_balance(self) -> Balance:
        """The balance of the account, and what it may spend."""
        return await self._one(op.GET_BALANCE, Balance)

    async def list_audit_events(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        sort: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Page[AuditEvent]:
        """Changes to the account; `sort` is `asc` or `desc` by time."""
        query = {
            "filter[created_after]": _instant(created_after),
            "filter[created_before]": _instant(created_before),
            "sort": sort,
        }
        return await self._page(op.LIST_AUDIT_EVENTS, AuditEvent, query, page, page_size)

    async def get_charges_breakdown(
        self, start_date: date, end_date: date | None = None
    ) -> ChargesBreakdown:
        """Charges number by number. At most 31 days; without `end_date`, one month. Telnyx sends all
        numbers at once: `results` are read row by row, with `number_charges`."""
        query = {
            "start_date": start_date.isoformat(),
            "end_date": end_date.isoformat() if end_date else None,
        }
        try:
            return await self._one(op.GET_CHARGES_BREAKDOWN, ChargesBreakdown, query=query)
        except TelnyxError as error:
            if error.failure is Failure.TOO_LARGE:
                error.extra_advice = (
                    "The numbers can't be asked for in parts. telnyx_summarize_spend has what they cost by "
                    "service; for each number, send the user to the Mission Control Portal."
                )
            raise

    def number_charges(self, row: Any) -> NumberCharges:
        """A row of `results`."""
        (data,) = read_rows([row], self.odd_values)
        return read_leniently(NumberCharges, data, self.odd_values)

    async def get_charges_summary(self, start_date: date, end_date: date) -> ChargesSummary:
        """Charges as Telnyx adds them up. At most 31 days."""
        query = {"start_date": start_date.isoformat(), "end_date": end_date.isoformat()}
        return await self._one(op.GET_CHARGES_SUMMARY, ChargesSummary, query=query)

    async def search_detail_records(
        self,
        record_type: str,
        *,
        date_range: str | None = None,
        filters: Mapping[str, str] | None = None,
        sort: Sequence[str] = (),
        page: int = 1,
        page_size: int | None = None,
    ) -> Page[DetailRecord]:
        """Usage records of one type. `filters` maps wire names (`filter[cost][gte]`) to values;
        `sort` is a list of `field` or `-field`."""
        query: dict[str, str | int | None] = {
            "filter[record_type]": record_type,
            "filter[date_range]": date_range,
            **(filters or {}),
            "sort": ",".join(sort) or None,
        }
        return await self._page(op.SEARCH_DETAIL_RECORDS, None, query, page, page_size)

    async def list_invoices(
        self,
        *,
        sort: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Page[Invoice]:
        """Invoices; `sort` is `period_start` or `-period_start`."""
        return await self._page(op.LIST_INVOICES, Invoice, {"sort": sort}, page, page_size)

    async def get_invoice(
        self,
        invoice_id: str,
        *,
        include_download_link: bool = False,
    ) -> Invoice:
        """One invoice, with a short-lived signed link to its PDF if asked for."""
        return await self._one(
            op.GET_INVOICE,
            Invoice,
            id=invoice_id,
            query={"action": "link" if include_download_link else "json"},
        )

    async def get_auto_recharge_preferences(self) -> AutoRechargePreferences:
        """When and how Telnyx charges the stored payment method by itself."""
        return await self._one(op.GET_AUTO_RECHARGE_PREFERENCES, AutoRechargePreferences)

    async def update_auto_recharge_preferences(
        self, changes: Mapping[str, str | bool]
    ) -> AutoRechargePreferences:
        """The preferences after setting `changes`. Authorises future charges: only the gate of
        `telnyx_mcp.approval` may call this."""
        return await self._one(
            op.UPDATE_AUTO_RECHARGE_PREFERENCES,
            AutoRechargePreferences,
            body=changes,
        )

    async def list_user_tags(self, starts_with: str | None = None) -> UserTags:
        """The tags on numbers and on outbound profiles."""
        return await self._one(
            op.LIST_USER_TAGS,
            UserTags,
            query={"filter[starts_with]": starts_with},
        )

    async def create_stored_payment_transaction(self, amount: str) -> StoredPaymentTransaction:
        """The receipt of charging the stored payment method. `amount` has two decimals (`120.00`).

        Moves real money, is sent once and never tried again: only the gate of
        `telnyx_mcp.approval` may call this.
        """
        try:
            return await self._one(
                op.CREATE_STORED_PAYMENT_TRANSACTION,
                StoredPaymentTransaction,
                body={"amount": amount},
            )
        except TelnyxError as error:
            if error.failure is Failure.FORBIDDEN:
                error.extra_advice = (
                    "Ask the user to check that a payment method is stored (Mission Control "
                    "Portal, Billing) and that the key may make payments."
                )
            raise

    async def list_webhook_deliveries(
        self,
        *,
        status: str | None = None,
        event_types: Sequence[str] = (),
        webhook_contains: str | None = None,
        attempts_contains: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        finished_after: datetime | None = None,
        finished_before: datetime | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Page[WebhookDelivery]:
        """Deliveries of webhooks with all their attempts. The four bounds are inclusive."""
        query = {
            "filter[status][eq]": status,
            "filter[event_type]": ",".join(event_types) or None,
            "filter[webhook][contains]": webhook_contains,
            "filter[attempts][contains]": attempts_contains,
            "filter[started_at][gte]": _instant(started_after),
            "filter[started_at][lte]": _instant(started_before),
            "filter[finished_at][gte]": _instant(finished_after),
            "filter[finished_at][lte]": _instant(finished_before),
        }
        return await self._page(op.LIST_WEBHOOK_DELIVERIES, WebhookDelivery, query, page, page_size)

    async def get_webhook_delivery(self, delivery_id: str) -> WebhookDelivery:
        """One delivery by its own id (not the event's)."""
        return await self._one(op.GET_WEBHOOK_DELIVERY, WebhookDelivery, id=delivery_id)

    def _remember(self, response: Response) -> None:
        self.sandbox, self.date = response.sandbox, response.date
        if self._parent:
            self._parent._remember(response)

    async def get_usage_report_options(self) -> list[UsageReportOptions]:
        """What a usage report can be asked for, product by product."""
        data, _ = await self._data(op.GET_USAGE_REPORT_OPTIONS)
        return self._rows(UsageReportOptions, data if isinstance(data, list) else [])

    async def get_usage_report(
        self,
        product: str,
        dimensions: Sequence[str],
        metrics: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        filters: Mapping[str, Sequence[str]] | None = None,
        page: int = 1,
    ) -> Page[dict[str, Any]]:
        """A page of up to 5,000 rows of one product's usage from `start` up to, but not including, `end`:
        at most 31 days, and none of them in the future.

        `filters` names dimensions that are also in `dimensions`; several values mean any of them.
        Numbers with a fraction come as text, as Telnyx wrote them.
        """
        query: dict[str, str | int | Sequence[str] | None] = {
            "product": product,
            "dimensions": ",".join(dimensions),
            "metrics": ",".join(metrics),
            "start_date": _instant(start.astimezone(UTC)),
            "end_date": _instant(end.astimezone(UTC)),
            **{f"filter[{name}]": tuple(values) for name, values in (filters or {}).items()},
        }
        largest = op.GET_USAGE_REPORT.largest_page
        return await self._page(op.GET_USAGE_REPORT, None, query, page, largest)

    async def list_organization_users(
        self, *, email: str | None = None, page: int = 1, page_size: int = 250
    ) -> Page[OrganizationUser]:
        """The people of the organization; `email` is a part of their address.

        A key without the right to see them is refused (`FORBIDDEN`).
        """
        query = {"filter[email]": email}
        return await self._page(
            op.LIST_ORGANIZATION_USERS, OrganizationUser, query, page, page_size
        )

    async def list_phone_numbers(
        self,
        *,
        phone_number: str | None = None,
        status: str | None = None,
        country: str | None = None,
        connection_id: str | None = None,
        billing_group_id: str | None = None,
        tag: str | None = None,
        without_tags: bool | None = None,
        customer_reference: str | None = None,
        number_type: str | None = None,
        sort: str | None = None,
        detailed: bool = False,
        page: int = 1,
        page_size: int = 250,
    ) -> Page[PhoneNumber]:
        """The phone numbers of the account, the newest first.

        `phone_number` is at least three digits in a row of it, in any spelling; `country` an ISO code
        of two letters; `billing_group_id` may be `null`, for numbers in none. `sort` is
        `purchased_at`, `phone_number`, `connection_name` or `usage_payment_method`, ascending. Only
        `detailed` rows have a messaging profile; they come from a slower list.
        """
        slim = not (detailed or without_tags or status in _FULL_LIST_ONLY)
        query: dict[str, str | int | None] = {
            # A plus sign or a space would find nothing.
            "filter[phone_number]": _digits(phone_number),
            "filter[status]": status,
            "filter[country_iso_alpha2]": country.upper() if country else None,
            "filter[connection_id]": connection_id,
            "filter[billing_group_id]": billing_group_id,
            "filter[tag]": tag,
            "filter[without_tags]": "true" if without_tags else None,
            "filter[customer_reference]": customer_reference,
            "filter[number_type][eq]": number_type,
            "include_connection": "true" if slim else None,
            "include_tags": "true" if slim else None,
            "sort": sort,
        }
        operation = op.LIST_PHONE_NUMBERS_SLIM if slim else op.LIST_PHONE_NUMBERS
        return await self._page(operation, PhoneNumber, query, page, page_size)

    async def list_messaging_profiles(
        self, *, name_contains: str | None = None, page: int = 1, page_size: int = 250
    ) -> Page[MessagingProfile]:
        """The messaging profiles, without their secrets."""
        query = {"filter[name][contains]": name_contains}
        return await self._page(
            op.LIST_MESSAGING_PROFILES, MessagingProfile, query, page, page_size
        )

    async def list_connections(
        self,
        *,
        name_contains: str | None = None,
        sort: str | None = None,
        page: int = 1,
        page_size: int = 250,
    ) -> Page[Connection]:
        """The voice connections of every type. `name_contains` has at least three characters; `sort`
        is `created_at`, `connection_name` or `active`."""
        query = {"filter[connection_name][contains]": name_contains, "sort": sort}
        return await self._page(op.LIST_CONNECTIONS, Connection, query, page, page_size)

    async def list_billing_groups(
        self, *, page: int = 1, page_size: int = 250
    ) -> Page[BillingGroup]:
        """The billing groups that numbers and outbound profiles are put in."""
        return await self._page(op.LIST_BILLING_GROUPS, BillingGroup, {}, page, page_size)

    async def list_spend_limits(self) -> list[SpendLimit]:
        """The limit and the spend of each product, by day and by month, all in one answer. The figures are
        about a minute old, the freshest that Telnyx has."""
        data, _ = await self._data(op.LIST_SPEND_LIMITS)
        return self._rows(SpendLimit, data)

    async def list_notification_channels(
        self, *, page: int = 1, page_size: int = 250
    ) -> Page[NotificationChannel]:
        """Where notifications go: addresses, phone numbers, URLs."""
        operation = op.LIST_NOTIFICATION_CHANNELS
        return await self._page(operation, NotificationChannel, {}, page, page_size)

    async def list_notification_event_conditions(
        self, *, page: int = 1, page_size: int = 250
    ) -> Page[NotificationEventCondition]:
        """When each event is notified, and how it can be."""
        operation = op.LIST_NOTIFICATION_EVENT_CONDITIONS
        return await self._page(operation, NotificationEventCondition, {}, page, page_size)

    async def list_notification_events(
        self, *, page: int = 1, page_size: int = 250
    ) -> Page[NotificationEvent]:
        """The events that a user can be notified of."""
        operation = op.LIST_NOTIFICATION_EVENTS
        return await self._page(operation, NotificationEvent, {}, page, page_size)

    async def list_notification_profiles(
        self, *, page: int = 1, page_size: int = 250
    ) -> Page[NotificationProfile]:
        """The named sets of channels."""
        operation = op.LIST_NOTIFICATION_PROFILES
        return await self._page(operation, NotificationProfile, {}, page, page_size)

    async def list_notification_settings(
        self, *, page: int = 1, page_size: int = 250
    ) -> Page[NotificationSetting]:
        """Which condition is notified to which profile or channel."""
        operation = op.LIST_NOTIFICATION_SETTINGS
        return await self._page(operation, NotificationSetting, {}, page, page_size)

    async def get_session_analysis(
        self,
        record_type: str,
        event_id: str,
        *,
        date: date | None = None,
        max_depth: int = 5,
        expand: str = "none",
    ) -> SessionAnalysis:
        """What one call cost, with all events that belong to it.

        `record_type` is that of the event; `call-session`, with the id of a session, has it all.
        `date` is the day of the event in UTC, which makes it faster, and not found if it is wrong.
        `max_depth` is 1 to 5; `expand` is `record` or `none`.
        """
        query: dict[str, str | int | None] = {
            "max_depth": max_depth,
            "expand": expand,
            "date_time": date.isoformat() if date else None,
        }
        return await self._one(
            op.GET_SESSION_ANALYSIS, SessionAnalysis, id=(record_type, event_id), query=query
        )

    async def _data(self, operation: op.Operation, **request: Any) -> tuple[Any, Any]:
        """`data` and `meta` of an answer."""
        response = await self.transport.request(
            operation, deadline=self._deadline, waiting=self._waiting, **request
        )
        self._remember(response)
        body = response.body if isinstance(response.body, dict) else {}
        if operation.bare and any(isinstance(body.get(each), dict) for each in operation.bare):
            return body, None
        if operation.bare or body.get("data") is None:
            why = f"the answer has no {' and no '.join(operation.bare or ('data',))}"
            raise TelnyxError(Failure.WRONG_SHAPE, why, sandbox=response.sandbox)
        return body["data"], body.get("meta")

    async def _one(self, operation: op.Operation, model: type[Model], **request: Any) -> Model:
        data, _ = await self._data(operation, **request)
        if operation.method != "GET":
            return read_strictly(model, data)
        return read_leniently(model, data, self.odd_values)

    def _rows(self, model: type[Model], data: Any) -> list[Model]:
        rows = read_rows(data, self.odd_values)
        return [read_leniently(model, row, self.odd_values) for row in rows]

    async def _page(
        self,
        operation: op.Operation,
        model: type[Model] | None,
        query: Query,
        number: int,
        size: int | None,
        **request: Any,
    ) -> Page[Any]:
        size = size or operation.largest_page
        query = {**query, "page[number]": number, "page[size]": size}
        data, meta = await self._data(operation, query=query, **request)
        meta = meta if isinstance(meta, dict) else {}
        page_meta = read_leniently(PageMeta, meta, self.odd_values)
        return Page[Any].model_construct(
            items=self._rows(model, data) if model else read_rows(data, self.odd_values),
            number=number,
            size=size,
            total_pages=page_meta.total_pages,
            total_results=page_meta.total_results,
        )


def _instant(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _digits(phone_number: str | None) -> str | None:
    return re.sub(r"\D", "", phone_number) if phone_number else None
