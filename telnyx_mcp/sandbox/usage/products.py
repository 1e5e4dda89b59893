"""The products that usage reports exist for: which records each adds up, by what, and which figures.

Where Telnyx's documents or others' measurements name dimensions and metrics, these are they; the rest
is plausible. Not every product has `cost`, `currency` or `date`: that is so at Telnyx, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telnyx_mcp.sandbox.business import Business
from telnyx_mcp.sandbox.countries import Country, country_of
from telnyx_mcp.sandbox.numbers import TOLL_FREE_CODES
from telnyx_mcp.sandbox.records import KINDS
from telnyx_mcp.sandbox.records.draw import Record
from telnyx_mcp.sandbox.records.kinds import Kind
from telnyx_mcp.sandbox.usage.unrecorded import UNRECORDED

Read = Callable[[Record, Business], Any]
"""A dimension or metric of a record: its value, or the figure that it adds."""

DATE, DATE_TIME = "date", "date_time"


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """What can be asked of one product."""

    name: str
    kinds: tuple[Kind, ...]
    """The record types that it adds up."""
    dimensions: Mapping[str, Read]
    """The dimensions that a record contains, without the times."""
    metrics: Mapping[str, Read]
    times: tuple[str, ...] = (DATE, DATE_TIME)
    date_is_time: bool = False
    """Whether `date` is sent as midnight, `2026-05-01T00:00:00Z`."""

    @property
    def all_dimensions(self) -> list[str]:
        return [*self.times, *self.dimensions]

    def options(self) -> dict[str, Any]:
        """The entry of `GET /usage_reports/options`."""
        own = {"product_dimensions": self.all_dimensions, "product_metrics": [*self.metrics]}
        several = len(self.kinds) > 1
        record_types = [{"record_type": kind.name, **own} for kind in self.kinds]
        return {"product": self.name, **own, "record_types": record_types if several else None}


def _field(name: str) -> Read:
    return lambda record, business: record.get(name)


def _fields(*names: str) -> dict[str, Read]:
    return {name: _field(name) for name in names}


def _one(record: Record, business: Business) -> int:
    return 1


def _own_number(record: Record, business: Business) -> str:
    number: str = record["cld" if record["direction"] == "inbound" else "cli"]
    return number


def _other_number(record: Record) -> str:
    number: str = record["cli" if record["direction"] == "inbound" else "cld"]
    return number


def _destination(record: Record) -> Country:
    """Where a call goes."""
    return country_of(record["cld"])


def _number_type(record: Record, business: Business) -> str:
    code = _own_number(record, business)[2:5]
    return "toll_free" if int(code) in TOLL_FREE_CODES else "local"


def _answered(record: Record, business: Business) -> int:
    return int(record["answered_at"] is not None)


CALL_METRICS: dict[str, Read] = {
    "connected": _answered,
    "attempted": _one,
    "completed": _answered,
    **_fields("call_sec", "billed_sec", "cost"),
}
RESPONSE_CODES = {"normal_clearing": "200", "no_answer": "480", "user_busy": "486"}
SHORT_CALL = 6
"""Seconds."""


def _outbound_profile(record: Record, business: Business) -> str | None:
    if record["direction"] == "inbound":
        return None
    return business.uuid(f"outbound voice profile:{record['connection_name']}")


def _billing_group(record: Record, business: Business) -> str | None:
    """Of some numbers only: the others' is null."""
    return business.uuid("billing group") if record["tags"] == "support" else None


def _is_short(record: Record, business: Business) -> str:
    return "true" if 0 < record["call_sec"] <= SHORT_CALL else "false"


def _hangup_details(record: Record, business: Business) -> str:
    """Empty if the call ended normally."""
    cause: str = record["hangup_cause"]
    return "" if cause == "normal_clearing" else cause


SIP_TRUNKING: dict[str, Read] = {
    "direction": _field("direction"),
    "country_code": lambda record, business: _destination(record).dialling_code,
    "country_iso": lambda record, business: _destination(record).iso,
    "source_country_code": lambda record, business: country_of(record["cli"]).dialling_code,
    "tn": _own_number,
    "tn_type": _number_type,
    "source_tn_type": lambda record, business: "local",
    "tags": _field("tags"),
    "billing_group_id": _billing_group,
    "connection_id": _field("connection_id"),
    "connection_type": lambda record, business: "credential_connection",
    "outbound_profile_id": _outbound_profile,
    "bundle_id": lambda record, business: None,
    "call_type": _number_type,
    "is_local_calling": lambda record, business: "false",
    "short_duration_call": _is_short,
    "currency": _field("currency"),
    "hangup_details": _hangup_details,
    "sip_response_code": lambda record, business: RESPONSE_CODES[record["hangup_cause"]],
    "gcb_zone_id": lambda record, business: None,
}

STATUSES = {
    "failed": "delivery_failed",
    "gw_reject": "sending_failed",
    "dlr_timeout": "delivery_unconfirmed",
}
"""`status_v2` where it is not the record's status."""


def _status_v2(record: Record, business: Business) -> str:
    status: str = record["status"]
    return STATUSES.get(status, status)


def _carrier(record: Record, business: Business) -> str:
    """Telnyx does not know the carrier of every number."""
    carrier: str = record["carrier"]
    return "unidentified" if _other_number(record).endswith("7") else carrier


def _message_kind(record: Record, business: Business) -> str:
    return {"toll_free": "toll_free", "local": "long_code"}[_number_type(record, business)]


def _campaign(record: Record, business: Business) -> str | None:
    return "true" if record["direction"] == "outbound" else None


MESSAGING: dict[str, Read] = {
    **_fields("direction", "message_type", "currency"),
    "country_iso": _field("country_code"),
    **_fields("mcc", "mnc"),
    "product_name": _message_kind,
    "status_v2": _status_v2,
    "normalized_carrier": _carrier,
    "tn": _own_number,
    "profile_id": _field("profile_id"),
    "tcr_campaign_registered": _campaign,
}
MESSAGING_METRICS: dict[str, Read] = {
    "cost": _field("cost"),
    "count": _one,
    "parts": _field("parts"),
    "customer_carrier_fee": _field("carrier_fee"),
}


def _bytes(name: str) -> Read:
    return lambda record, business: round(record[name] * 1_000_000)


def _record_type(record: Record, business: Business) -> str:
    """As a search of records names it: the records themselves have a longer name of some."""
    name: str = record["record_type"]
    return name.removesuffix("_detail_record").replace("_", "-")


USAGE = {"cost": _field("cost"), "count": _one}
BY_THE_MINUTE: dict[str, Read] = {**USAGE, **_fields("duration_sec", "billed_sec")}
ON_CONNECTIONS = _fields("connection_id", "tags", "currency")


def _of(name: str, *record_types: str) -> tuple[str, tuple[Kind, ...]]:
    """A product's name, and the record types it adds up: by default the type of the same name."""
    known = {**KINDS, **UNRECORDED}
    return name, tuple(known[each] for each in record_types or (name,))


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product(
            *_of("ai-voice-assistant"),
            _fields("assistant_id", "currency"),
            {
                **_fields("cost", "duration_sec", "billed_sec"),
                "connected": _one,
                "attempted": _one,
            },
        ),
        Product(*_of("amd"), _fields("feature", "connection_id", "tags", "currency"), USAGE),
        Product(
            *_of("call-control"),
            _fields("connection_id", "direction", "currency"),
            {name: CALL_METRICS[name] for name in CALL_METRICS if name != "attempted"},
            date_is_time=True,
        ),
        Product(*_of("call-control-features"), _fields("feature", "currency"), USAGE),
        Product(*_of("cloud-storage"), _fields("region", "operation", "currency"), USAGE, ()),
        Product(
            *_of("conference", "conference", "conference-participant"),
            {"record_type": _record_type, "currency": lambda record, business: "USD"},
            {**USAGE, **_fields("call_sec", "billed_sec")},
        ),
        Product(*_of("cps"), _fields("connection_id", "currency"), USAGE, (DATE,)),
        Product(*_of("customer-service-record"), _fields("status", "currency"), USAGE, (DATE,)),
        Product(
            *_of("fax-api", "fax"),
            {**_fields("direction", "status"), "tn": _own_number, **_fields("tags", "currency")},
            {**USAGE, "pages": _field("page_count")},
        ),
        Product(
            *_of("forking"), _fields("direction"), {**USAGE, "billed_sec": _field("billed_sec")}
        ),
        Product(
            *_of("inference", "inference", "embedding", "inference-speech-to-text"),
            {"record_type": _record_type, **_fields("model", "currency")},
            {**USAGE, **_fields("prompt_tokens", "completion_tokens", "tokens")},
            (DATE_TIME,),
        ),
        Product(
            *_of("media-storage", "media_storage"),
            _fields("action_type", "status", "link_channel_type", "currency"),
            USAGE,
        ),
        Product(*_of("media-streaming"), ON_CONNECTIONS, BY_THE_MINUTE),
        Product(*_of("messaging"), MESSAGING, MESSAGING_METRICS, (DATE,)),
        Product(*_of("noise-suppression"), {**_fields("engine"), **ON_CONNECTIONS}, BY_THE_MINUTE),
        Product(*_of("number-lookup"), _fields("lookup_type", "currency"), USAGE),
        Product("programmable-video", (), _fields("room_id", "currency"), USAGE),
        Product(*_of("recording"), {**_fields("channels"), **ON_CONNECTIONS}, BY_THE_MINUTE),
        Product(*_of("sip-trunking"), SIP_TRUNKING, CALL_METRICS),
        Product(*_of("siprec-client"), ON_CONNECTIONS, BY_THE_MINUTE),
        Product(
            *_of("speech-to-text", "stt"),
            _fields("transcription_engine", "language", "currency"),
            {**USAGE, "duration_sec": _field("duration_sec")},
        ),
        Product(
            *_of("text-to-speech", "tts"),
            _fields("voice", "currency"),
            {**USAGE, "character_count": _field("character_count")},
        ),
        Product(
            *_of("verify-2fa", "verify"),
            _fields("verify_profile_id", "verify_channel_type", "verification_status", "currency"),
            {"cost": _field("verify_usage_fee"), "count": _one},
        ),
        Product(*_of("webrtc"), {**_fields("codec"), **ON_CONNECTIONS}, BY_THE_MINUTE),
        Product(
            *_of("wireless"),
            _fields("mcc", "mnc", "sim_card_id", "sim_group_name"),
            {
                "uplink_data": _field("uplink_data"),
                "uplink_data_bytes": _bytes("uplink_data"),
                "downlink_data": _field("downlink_data"),
                "downlink_data_bytes": _bytes("downlink_data"),
                "data_cost": _field("data_cost"),
            },
            (),
        ),
    )
}
