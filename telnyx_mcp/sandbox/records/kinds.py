"""The 21 record types: how each is made, how many a day, and which field holds its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telnyx_mcp.sandbox.records import ai, calls, messages
from telnyx_mcp.sandbox.records.draw import Draw, Record


@dataclass(frozen=True, slots=True)
class Kind:
    """A record type as `filter[record_type]` names it."""

    name: str
    make: Callable[[Draw], Record]
    per_day: int
    """On a weekday early in 2026; fewer on weekends, more as the business grows."""
    time_field: str = "created_at"
    described: bool = False
    """Whether Telnyx publishes its fields, or names the fields that hold its time."""


ALIASES = {"speech-to-text": "stt", "text-to-speech": "tts"}
"""Record types that a search knows by another name, too."""

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("ai-voice-assistant", ai.ai_voice_assistant, 14),
        Kind("amd", calls.amd, 20, "invoked_at", described=True),
        Kind("call-control", calls.call_control, 420, "started_at", described=True),
        Kind("conference", calls.conference, 4, "started_at", described=True),
        Kind(
            "conference-participant", calls.conference_participant, 14, "joined_at", described=True
        ),
        Kind("embedding", ai.embedding, 10),
        Kind("fax", messages.fax, 6),
        Kind("inference", ai.inference, 60),
        Kind("inference-speech-to-text", ai.inference_speech_to_text, 8),
        Kind("media_storage", messages.media_storage, 15, described=True),
        Kind("media-streaming", calls.media_streaming, 8),
        Kind("messaging", messages.messaging, 900, described=True),
        Kind("noise-suppression", calls.noise_suppression, 10),
        Kind("recording", calls.recording, 60, "started_at"),
        Kind("sip-trunking", calls.sip_trunking, 300, "started_at", described=True),
        Kind("siprec-client", calls.siprec_client, 5),
        Kind("stt", ai.stt, 12, "start_time"),
        Kind("tts", ai.tts, 30),
        Kind("verify", messages.verify, 90, described=True),
        Kind("webrtc", calls.webrtc, 16),
        Kind("wireless", messages.wireless, 60, described=True),
    )
}


def kind_named(name: str) -> Kind | None:
    """A record type, by any of its names."""
    return KINDS.get(ALIASES.get(name, name))
