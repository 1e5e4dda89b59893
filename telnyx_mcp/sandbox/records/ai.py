"""Records of what is computed: assistants, inference, speech. Telnyx publishes no shapes for them."""

from __future__ import annotations

from telnyx_mcp.sandbox.days import timestamp
from telnyx_mcp.sandbox.records.draw import Draw, Record, money


def ai_voice_assistant(draw: Draw) -> Record:
    """An assistant's phone call, billed by the minute."""
    length = draw.seconds(190)
    minutes = -(-length // 60)
    return _usage(draw, "ai-voice-assistant", minutes * 6000, "0.06", "minutes") | {
        "assistant_id": f"assistant-{draw.business.uuid('assistant')}",
        "assistant_name": "Parcel tracker",
        "call_session_id": draw.related("call-control"),
        "duration_sec": length,
        "billed_sec": minutes * 60,
        "finished_at": draw.later(length),
    }


def inference(draw: Draw) -> Record:
    """A chat completion, billed by the token."""
    tokens_in, tokens_out = draw.rng.randrange(200, 9000), draw.rng.randrange(40, 1200)
    model = draw.one_of(("meta-llama/Llama-3.3-70B-Instruct", 0.7), ("Qwen/Qwen3-235B", 0.3))
    cost = (tokens_in + tokens_out) // 10
    return _usage(draw, "inference", cost, "0.000001", "tokens", 5) | {
        "model": model,
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
    }


def embedding(draw: Draw) -> Record:
    """An embedding job, billed by the token."""
    tokens = draw.rng.randrange(500, 40_000)
    return _usage(draw, "embedding", tokens // 100, "0.0000001", "tokens", 5) | {
        "model": "thenlper/gte-large",
        "tokens": tokens,
        "bucket_name": "parcel-faq",
    }


def inference_speech_to_text(draw: Draw) -> Record:
    """A transcribed file, billed by the minute."""
    length = draw.seconds(150)
    minutes = -(-length // 60)
    return _usage(draw, "inference-speech-to-text", minutes * 300, "0.003", "minutes") | {
        "model": "distil-whisper/distil-large-v2",
        "duration_sec": length,
    }


def stt(draw: Draw) -> Record:
    """A transcribed call, billed by the minute. Others found `start_time`."""
    length = draw.seconds(160)
    minutes = -(-length // 60)
    record = _usage(draw, "stt", minutes * 2500, "0.025", "minutes")
    start = record.pop("created_at")
    return record | {
        "start_time": start,
        "end_time": draw.later(length),
        "transcription_engine": draw.one_of(("Telnyx", 0.8), ("Google", 0.2)),
        "language": "en-US",
        "call_session_id": draw.related("call-control"),
        "duration_sec": length,
    }


def tts(draw: Draw) -> Record:
    """Spoken text, billed by the character."""
    characters = draw.rng.randrange(40, 900)
    return _usage(draw, "tts", characters * 3 // 10, "0.000003", "characters", 5) | {
        "voice": draw.one_of(("Telnyx.NaturalHD.astra", 0.6), ("AWS.Polly.Joanna", 0.4)),
        "character_count": characters,
        "call_session_id": draw.related("call-control"),
    }


def _usage(
    draw: Draw, record_type: str, cost: int, rate: str, measured_in: str, digits: int = 4
) -> Record:
    return {
        "record_type": record_type,
        "id": draw.id,
        "user_id": draw.business.owner.id,
        "organization_id": draw.business.organization_id,
        "created_at": timestamp(draw.at),
        "rate": rate,
        "rate_measured_in": measured_in,
        "cost": money(cost, digits),
        "currency": "USD",
    }
