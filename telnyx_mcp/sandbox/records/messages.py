"""Records of messages, verifications, faxes, SIM cards and stored media."""

from __future__ import annotations

from telnyx_mcp.sandbox.business import stable_digits
from telnyx_mcp.sandbox.countries import HOME, country_of
from telnyx_mcp.sandbox.days import timestamp
from telnyx_mcp.sandbox.records.draw import Draw, Record, money


def messaging(draw: Draw) -> Record:
    """`message_detail_record`, as published."""
    rng, number = draw.rng, draw.number()
    profile = draw.one_of(*zip(draw.business.profiles, (0.55, 0.3, 0.15), strict=True))
    inbound = rng.random() < 0.25
    kind = draw.one_of(("SMS", 0.93), ("MMS", 0.06), ("RCS", 0.01))
    parts = 1 if kind != "SMS" else draw.one_of((1, 0.8), (2, 0.15), (3, 0.05))
    failed = not inbound and rng.random() < 0.04
    status = "received" if inbound else "delivered"
    if failed:
        status = draw.one_of(("failed", 0.6), ("gw_reject", 0.2), ("dlr_timeout", 0.2))
    rate, fee = (400, 0 if inbound else 300) if kind == "SMS" else (1500, 450)
    cost = 0 if status == "gw_reject" else parts * (rate + fee)
    stranger = draw.stranger()
    country = country_of(stranger)
    return {
        "record_type": "message_detail_record",
        "uuid": draw.id,
        "user_id": draw.business.owner.id,
        "profile_id": profile.id,
        "profile_name": profile.name,
        "direction": "inbound" if inbound else "outbound",
        "message_type": kind,
        "cli": stranger if inbound else number.phone_number,
        "cld": number.phone_number if inbound else stranger,
        "carrier": country.carriers[rng.randrange(4) % len(country.carriers)],
        "carrier_fee": money(parts * fee, 5),
        "country_code": HOME.iso if inbound else country.iso,
        "source_country_code": country.iso if inbound else HOME.iso,
        "status": status,
        "errors": ["40008"] if failed else [],
        "delivery_status": "success: webhook succeeded",
        "delivery_status_webhook_url": profile.webhook_url,
        "delivery_status_failover_url": "",
        "parts": parts,
        "rate": money(rate, 4),
        "cost": money(cost, 4),
        "currency": "USD",
        "fteu": False,
        "on_net": False,
        "mcc": country.mcc,
        "mnc": country.mnc,
        "tags": number.tag,
        "created_at": timestamp(draw.at),
        "sent_at": draw.later(0.2),
        "completed_at": draw.later(rng.uniform(1, 9)),
        "updated_at": draw.later(10),
    }


def verify(draw: Draw) -> Record:
    """`verification_detail_record`, as published."""
    accepted = draw.rng.random() < 0.88
    channel = draw.one_of(("sms", 0.85), ("call", 0.12), ("flashcall", 0.03))
    return {
        "record_type": "verification_detail_record",
        "id": draw.id,
        "verify_profile_id": draw.business.uuid("verify profile"),
        "verify_channel_id": draw.uuid(),
        "verify_channel_type": channel,
        "verification_status": "accepted" if accepted else "expired",
        "delivery_status": "delivered" if accepted else "pending",
        "destination_phone_number": draw.stranger(),
        "rate": "0.03",
        "rate_measured_in": "number of occurrences",
        "verify_usage_fee": "0.03",
        "currency": "USD",
        "created_at": timestamp(draw.at).replace("Z", "000+00:00"),
        "updated_at": draw.later(40).replace("Z", "000+00:00"),
    }


def fax(draw: Draw) -> Record:
    """A plausible shape: Telnyx publishes none for faxes."""
    pages = draw.rng.randrange(1, 12)
    number = draw.number()
    return {
        "record_type": "fax",
        "id": draw.id,
        "user_id": draw.business.owner.id,
        "direction": "inbound",
        "cli": draw.stranger(),
        "cld": number.phone_number,
        "page_count": pages,
        "status": draw.one_of(("received", 0.93), ("failed", 0.07)),
        "rate": "0.007",
        "rate_measured_in": "pages",
        "cost": money(pages * 700),
        "currency": "USD",
        "tags": number.tag,
        "created_at": timestamp(draw.at),
        "completed_at": draw.later(pages * 18),
    }


def wireless(draw: Draw) -> Record:
    """`sim_card_usage`, as published: the one record whose cost is a JSON number."""
    down = round(draw.rng.uniform(0.05, 9), 3)
    up = round(draw.rng.uniform(0.01, 2), 4)
    card = draw.rng.randrange(24)
    return {
        "record_type": "sim_card_usage",
        "id": draw.id,
        "sim_card_id": draw.business.uuid(f"sim card:{card}"),
        "sim_card_tags": "depot-east" if card % 2 else "depot-west",
        "sim_group_id": draw.business.uuid("sim group"),
        "sim_group_name": "Depot scanners",
        "imsi": stable_digits(draw.business.seed, f"imsi:{card}", 15),
        "phone_number": f"+1518555{card:04d}",
        "ip_address": f"100.64.{card}.{draw.rng.randrange(2, 250)}",
        "mcc": "310",
        "mnc": "240",
        "downlink_data": down,
        "uplink_data": up,
        "data_unit": "MB",
        "data_rate": "0.01250",
        "data_cost": round((down + up) * 0.0125, 6),
        "currency": "USD",
        "created_at": timestamp(draw.at),
        "closed_at": draw.later(draw.seconds(900)),
    }


def media_storage(draw: Draw) -> Record:
    """`media_storage`, as published."""
    return {
        "record_type": "media_storage",
        "id": draw.id,
        "org_id": draw.business.organization_id,
        "user_id": draw.business.owner.id,
        "asset_id": draw.uuid(),
        "action_type": draw.one_of(("upload", 0.6), ("download", 0.35), ("delete", 0.05)),
        "status": draw.one_of(("succeeded", 0.98), ("failed", 0.02)),
        "link_channel_type": "message",
        "link_channel_id": draw.related("messaging"),
        "webhook_id": draw.uuid(),
        "rate": "0.0001",
        "rate_measured_in": "events",
        "cost": "0.0001",
        "currency": "USD",
        "created_at": timestamp(draw.at),
    }
