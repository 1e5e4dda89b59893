"""Records of calls and what is done with them: conferences, recordings, answering machines."""

from __future__ import annotations

from datetime import timedelta, timezone

from telnyx_mcp.sandbox.days import timestamp
from telnyx_mcp.sandbox.records.draw import Draw, Record, money

CENTRAL = timezone(timedelta(hours=-6))


def call_control(draw: Draw) -> Record:
    """A plausible shape (none is published); no `created_at`, as Telnyx says."""
    return _call(draw, "call-control", mean_seconds=150, rate=200)


def sip_trunking(draw: Draw) -> Record:
    """A plausible shape (none is published); no `created_at`, as Telnyx says."""
    return _call(draw, "sip-trunking", mean_seconds=210, rate=500)


def _call(draw: Draw, record_type: str, mean_seconds: float, rate: int) -> Record:
    number = draw.number()
    connection = number.connection
    inbound = draw.rng.random() < 0.6
    answered = draw.rng.random() < 0.86
    ringing = draw.rng.uniform(1.5, 22)
    talked = draw.seconds(mean_seconds) if answered else 0
    billed = -(-talked // 60) * 60
    stranger = draw.stranger()
    cause = "normal_clearing" if answered else draw.one_of(("no_answer", 0.7), ("user_busy", 0.3))
    return {
        "record_type": record_type,
        "id": draw.id,
        "call_leg_id": draw.uuid(),
        "call_session_id": draw.id,
        "user_id": draw.business.owner.id,
        "connection_id": connection.id,
        "connection_name": connection.name,
        "direction": "inbound" if inbound else "outbound",
        "cli": stranger if inbound else number.phone_number,
        "cld": number.phone_number if inbound else stranger,
        "started_at": timestamp(draw.at),
        "answered_at": draw.later(ringing) if answered else None,
        "finished_at": draw.later(ringing + talked),
        "call_sec": talked,
        "billed_sec": billed,
        "hangup_cause": cause,
        "rate": money(rate, 5),
        "rate_measured_in": "minutes",
        "cost": money(billed // 60 * rate),
        "currency": "USD",
        "tags": number.tag,
    }


def conference(draw: Draw) -> Record:
    """`conference_detail_record`, as published; times with an offset, as its example has them."""
    started = draw.at.astimezone(CENTRAL)
    length = draw.seconds(900)
    people = draw.rng.randrange(2, 7)
    return {
        "record_type": "conference_detail_record",
        "id": draw.id,
        "name": draw.one_of(("Depot stand-up", 0.5), ("Carrier call", 0.3), ("Board", 0.2)),
        "user_id": draw.business.owner.id,
        "call_leg_id": draw.uuid(),
        "call_session_id": draw.related("call-control"),
        "connection_id": draw.business.connections[0].id,
        "region": "ch1",
        "participant_count": people,
        "participant_call_sec": length * people,
        "call_sec": length,
        "is_telnyx_billable": False,
        "started_at": timestamp(started),
        "ended_at": timestamp(started + timedelta(seconds=length)),
        "expires_at": timestamp(started + timedelta(hours=4)),
    }


def conference_participant(draw: Draw) -> Record:
    """`conference_participant_detail_record`, as published."""
    joined = draw.at.astimezone(CENTRAL)
    length = draw.seconds(700)
    minutes = -(-length // 60)
    return {
        "record_type": "conference_participant_detail_record",
        "id": draw.id,
        "conference_id": draw.related("conference"),
        "call_leg_id": draw.uuid(),
        "call_session_id": draw.uuid(),
        "user_id": draw.business.owner.id,
        "originating_number": draw.stranger(),
        "destination_number": draw.number().phone_number,
        "joined_at": timestamp(joined),
        "left_at": timestamp(joined + timedelta(seconds=length)),
        "call_sec": length,
        "billed_sec": minutes * 60,
        "is_telnyx_billable": True,
        "rate": "0.002",
        "rate_measured_in": "minutes",
        "cost": money(minutes * 200),
        "currency": "USD",
    }


def amd(draw: Draw) -> Record:
    """`amd_detail_record` (answering machine detection), as published."""
    number = draw.number()
    return {
        "record_type": "amd_detail_record",
        "id": draw.id,
        "feature": "PREMIUM",
        "call_leg_id": draw.uuid(),
        "call_session_id": draw.related("call-control"),
        "connection_id": number.connection.id,
        "connection_name": number.connection.name,
        "billing_group_id": draw.business.uuid("billing group"),
        "billing_group_name": "Customer care",
        "is_telnyx_billable": True,
        "invoked_at": timestamp(draw.at),
        "rate": "0.0065",
        "rate_measured_in": "invocations",
        "cost": "0.0065",
        "currency": "USD",
        "tags": number.tag,
    }


def recording(draw: Draw) -> Record:
    """A plausible shape: Telnyx publishes none for recordings. Others found `started_at`."""
    return _by_the_minute(draw, "recording", 160, 250, "started_at") | {
        "channels": "dual",
        "format": "mp3",
    }


def media_streaming(draw: Draw) -> Record:
    """A plausible shape: Telnyx publishes none for media streaming."""
    return _by_the_minute(draw, "media-streaming", 120, 350) | {
        "destination_url": "wss://stream.northwind-parcels.example/audio",
    }


def noise_suppression(draw: Draw) -> Record:
    """A plausible shape: Telnyx publishes none for noise suppression."""
    return _by_the_minute(draw, "noise-suppression", 140, 300) | {"engine": "denoiser"}


def siprec_client(draw: Draw) -> Record:
    """A plausible shape: Telnyx publishes none for SIPREC."""
    return _by_the_minute(draw, "siprec-client", 200, 300) | {"connector_name": "compliance"}


def webrtc(draw: Draw) -> Record:
    """A plausible shape: Telnyx publishes none for WebRTC."""
    return _by_the_minute(draw, "webrtc", 180, 200) | {"codec": "OPUS"}


def _by_the_minute(
    draw: Draw, record_type: str, mean_seconds: float, rate: int, time_field: str = "created_at"
) -> Record:
    length = draw.seconds(mean_seconds)
    minutes = -(-length // 60)
    number = draw.number()
    return {
        "record_type": record_type,
        "id": draw.id,
        "user_id": draw.business.owner.id,
        "call_session_id": draw.related("call-control"),
        "connection_id": number.connection.id,
        "connection_name": number.connection.name,
        time_field: timestamp(draw.at),
        "finished_at": draw.later(length),
        "duration_sec": length,
        "billed_sec": minutes * 60,
        "rate": money(rate, 5),
        "rate_measured_in": "minutes",
        "cost": money(minutes * rate),
        "currency": "USD",
        "tags": number.tag,
    }
