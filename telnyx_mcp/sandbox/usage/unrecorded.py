"""Usage that Telnyx bills and has no detail records of: it is found in usage reports only."""

from __future__ import annotations

from collections.abc import Callable

from telnyx_mcp.sandbox.days import timestamp
from telnyx_mcp.sandbox.records.draw import Draw, Record, money
from telnyx_mcp.sandbox.records.kinds import Kind


def _forking(draw: Draw) -> Record:
    length = draw.seconds(140)
    direction = draw.one_of(("inbound", 0.6), ("outbound", 0.4))
    # A second costs 1/20,000 of a dollar: sums of it look like 8.0E-4.
    return _usage(draw, length * 5, direction=direction, billed_sec=length)


def _cloud_storage(draw: Draw) -> Record:
    operation = draw.one_of(("get", 0.7), ("put", 0.25), ("list", 0.05))
    region = draw.one_of(("us-central-1", 0.8), ("us-west-1", 0.2))
    return _usage(draw, 1 + draw.rng.randrange(9), operation=operation, region=region)


def _cps(draw: Draw) -> Record:
    return _usage(draw, 25_000, connection_id=draw.number().connection.id)


def _call_control_features(draw: Draw) -> Record:
    feature = draw.one_of(("gather", 0.6), ("bridge", 0.3), ("conference-join", 0.1))
    return _usage(draw, 150, feature=feature)


def _customer_service_record(draw: Draw) -> Record:
    return _usage(draw, 5_000, status=draw.one_of(("completed", 0.9), ("failed", 0.1)))


def _number_lookup(draw: Draw) -> Record:
    kind, cost = draw.one_of((("carrier", 300), 0.8), (("caller-name", 400), 0.2))
    return _usage(draw, cost, lookup_type=kind)


def _usage(draw: Draw, hundred_thousandths: int, **fields: str | int) -> Record:
    return {
        "created_at": timestamp(draw.at),
        "cost": money(hundred_thousandths, 5),
        "currency": "USD",
        **fields,
    }


def _kind(name: str, make: Callable[[Draw], Record], per_day: int) -> tuple[str, Kind]:
    return name, Kind(name, make, per_day)


UNRECORDED: dict[str, Kind] = dict(
    (
        _kind("call-control-features", _call_control_features, 40),
        _kind("cloud-storage", _cloud_storage, 25),
        _kind("cps", _cps, 1),
        _kind("customer-service-record", _customer_service_record, 1),
        _kind("forking", _forking, 9),
        _kind("number-lookup", _number_lookup, 12),
    )
)
