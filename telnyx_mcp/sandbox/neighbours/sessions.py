"""`GET /session_analysis/{record_type}/{event_id}`: what one call cost, all in, as a tree.

A session is a call and the records that name it: the recording, the assistant, the transcript. Its costs
are those of the records. The answer stands alone, without `data` around it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.call import Call, Operation, moment_of, one_of, whole_number
from telnyx_mcp.sandbox.days import DAY, midnight, parse_moment
from telnyx_mcp.sandbox.records import KINDS, Kind
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter, not_found
from telnyx_mcp.sandbox.responses import Response

SESSION = "call-session"
DEEPEST = 5
CALLS = ("call-control", "sip-trunking")
PARTS = (
    "ai-voice-assistant",
    "amd",
    "conference",
    "media-streaming",
    "noise-suppression",
    "recording",
    "siprec-client",
    "stt",
    "tts",
    "webrtc",
)
"""The record types that name the session they belong to."""
SPEECH = ("stt", "tts")
"""Parts of an assistant's work, where the session has an assistant."""
PRODUCTS = {"call-control": "callcontrol-cdrs", "sip-trunking": "siptrunking-cdrs"}
"""Names that differ from those of the record types."""
COSTS = ("cost", "verify_usage_fee", "data_cost")
"""The field of a record that says what it cost. Some have none."""

Record = dict[str, Any]


@dataclass(slots=True)
class _Event:
    kind: str
    id: str
    record: Record
    children: list[_Event] = field(default_factory=list)

    @property
    def product(self) -> str:
        return PRODUCTS.get(self.kind, self.kind)

    @property
    def cost(self) -> Decimal:
        named = (str(self.record[name]) for name in COSTS if name in self.record)
        return Decimal(next(named, "0"))

    def all(self) -> Iterator[_Event]:
        """This event and all events below it."""
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def total(self) -> Decimal:
        return sum((each.cost for each in self.all()), Decimal(0))


def get_session_analysis(account: Account, call: Call) -> Response:
    """404 for an event that is not there, and for one that is not on the day of `date_time`."""
    kind, event_id = call.path["record_type"], _event_id(call)
    if kind != SESSION and kind not in KINDS:
        raise bad_parameter("record_type", f"'{kind}' is not a known record type.")
    shown = _Shown(
        depth=whole_number(call, "max_depth", 2, DEEPEST),
        records=one_of(call, "expand", ("record", "none")) != "none",
        children=one_of(call, "include_children", ("true", "false")) != "false",
    )
    moment = moment_of(call, "date_time")
    root = _Sessions(account, moment.date() if moment else None).find(kind, event_id)
    if root is None:
        raise not_found("Event not found")
    events = list(root.all())
    answer = {
        "session_id": root.record.get("call_session_id", root.id),
        "cost": {"total": _format_cost(root.total), "currency": "USD"},
        "root": shown.node(root, None, 1),
        "meta": {
            "event_count": len(events),
            "products": sorted({each.product for each in events}),
        },
    }
    return Response(answer)


def with_messages(refusal: Refusal) -> dict[str, Any]:
    """The errors of this operation: a message in the place of a title."""
    return {
        "errors": [
            {"code": each["code"], "message": each["title"], "detail": each["detail"]}
            for each in refusal.body()["errors"]
        ]
    }


@dataclass(frozen=True, slots=True)
class _Shown:
    """How much of a tree is shown. Costs are those of the whole tree, however much is shown."""

    depth: int
    records: bool
    children: bool

    def node(self, event: _Event, parent: _Event | None, depth: int) -> dict[str, Any]:
        deeper = event.children if self.children and depth < self.depth else []
        via = {"local_field": "call_session_id", "parent_field": "call_session_id"}
        return {
            "id": event.id,
            "product": event.product,
            "event_name": event.kind,
            "relationship": {"type": "session", "parent_id": parent.id, "via": via}
            if parent
            else None,
            "cost": {
                "event_cost": _format_cost(event.cost),
                "cumulative_cost": _format_cost(event.total),
                "currency": "USD",
            },
            "links": {
                "self": f"/v2/session_analysis/{event.kind}/{event.id}",
                "records": f"/v2/detail_records?filter[record_type]={event.kind}",
            },
            "record": event.record if self.records else {},
            "children": [self.node(child, event, depth + 1) for child in deeper],
        }


@dataclass(frozen=True, slots=True)
class _Sessions:
    """The sessions of an account, by what its detail records say."""

    account: Account
    day: date | None
    """The day that is searched; as far back as a search goes if there is none."""

    def find(self, kind: str, event_id: str) -> _Event | None:
        """An event with all events below it."""
        if kind == SESSION:
            calls = [call for each in CALLS if (call := self.find(each, event_id))]
            record = {"call_session_id": event_id}
            return _Event(SESSION, event_id, record, calls) if calls else None
        field_name = "uuid" if kind == "messaging" else "id"
        records = self._search(KINDS[kind], field_name, event_id, self.day)
        if not records:
            return None
        event = _Event(kind, event_id, records[0])
        if kind in CALLS:
            event.children = self._parts(event)
        return event

    def _parts(self, call: _Event) -> list[_Event]:
        day = parse_moment(call.record["started_at"]).date()
        parts = [
            _Event(kind, record["id"], record)
            for kind in PARTS
            for record in self._search(KINDS[kind], "call_session_id", call.id, day)
        ]
        assistant = next((each for each in parts if each.kind == "ai-voice-assistant"), None)
        if assistant is None:
            return parts
        assistant.children = [each for each in parts if each.kind in SPEECH]
        return [each for each in parts if each.kind not in SPEECH]

    def _search(self, kind: Kind, field: str, value: str, day: date | None) -> list[Record]:
        query = [("filter[record_type]", kind.name), (f"filter[{field}]", value)]
        if day is not None:
            time = f"filter[{kind.time_field}]"
            query += [(f"{time}[gte]", _start(day)), (f"{time}[lt]", _start(day + DAY))]
        records = self.account.records
        return records.page(records.parse(query), 1, 50)[0]


def _start(day: date) -> str:
    moment: datetime = midnight(day)
    return moment.isoformat()


def _event_id(call: Call) -> str:
    text = call.path["event_id"]
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise bad_parameter("event_id", f"'{text}' is not a valid UUID.") from None


def _format_cost(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.0001")) if amount == 0 else amount)


OPERATIONS = (
    Operation(
        "get_session_analysis",
        "GET",
        "/session_analysis/{record_type}/{event_id}",
        get_session_analysis,
        True,
        with_messages,
    ),
)
