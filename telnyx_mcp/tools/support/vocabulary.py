"""What users call products, groups and metrics, and what Telnyx's usage reports and records call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from telnyx_mcp.telnyx.usage_reports import UsageProduct
from telnyx_mcp.tools.support.time_groups import TIMES


@dataclass(frozen=True, slots=True)
class Product:
    """A product by its name in usage reports, and the type of its detail records, if it has one."""

    name: str
    record_type: str | None
    words: tuple[str, ...] = ()


PRODUCTS: tuple[Product, ...] = (
    Product("messaging", "messaging", ("sms", "messages", "texts", "text messages")),
    Product(
        "sip-trunking",
        "sip-trunking",
        ("calls", "voice", "voice calls", "phone calls", "sip"),
    ),
    Product(
        "call-control", "call-control", ("voice api", "call control calls", "programmable voice")
    ),
    Product("verify-2fa", "verify", ("verify", "verifications", "2fa", "otp")),
    Product("fax-api", "fax", ("fax", "faxes")),
    Product("wireless", "wireless", ("sim", "sims", "iot", "data", "mobile data")),
    Product(
        "ai-voice-assistant",
        "ai-voice-assistant",
        ("ai assistant", "voice assistant", "assistants"),
    ),
    Product("inference", "inference", ("ai", "llm", "ai inference")),
    Product("speech-to-text", "stt", ("stt", "transcription", "transcriptions")),
    Product("text-to-speech", "tts", ("tts", "speech")),
    Product("conference", "conference", ("conferences",)),
    Product("recording", "recording", ("recordings", "call recording")),
    Product("media-streaming", "media-streaming", ("media streams", "streaming")),
    Product("media-storage", "media_storage", ("media_storage",)),
    Product("noise-suppression", "noise-suppression"),
    Product("webrtc", "webrtc", ("web calls",)),
    Product("amd", "amd", ("answering machine detection",)),
    Product("cloud-storage", None, ("storage",)),
    Product("customer-service-record", None, ("csr",)),
    Product("siprec-client", "siprec-client", ("siprec",)),
    Product("conference-participant", "conference-participant", ("conference participants",)),
    Product("embedding", "embedding", ("embeddings",)),
    Product("inference-speech-to-text", "inference-speech-to-text"),
)
_BY_WORD = {
    word: product
    for product in PRODUCTS
    for word in (product.name, product.record_type or product.name, *product.words)
}


def product_named(word: str) -> Product | None:
    """The product that a word means; None for a word that is not in the table."""
    plain = " ".join(word.lower().replace("_", " ").split())
    spelled = (plain, plain.replace(" ", "-"), plain.replace(" ", "_"))
    for each in (*spelled, f"{plain}s", plain.removesuffix("s")):
        if found := _BY_WORD.get(each):
            return found
    return None


def products_near(word: str) -> list[str]:
    """The words of products that look like this one."""
    return get_close_matches(word.lower(), _BY_WORD, 3, 0.6)


GROUPS: Mapping[str, tuple[str, ...]] = {
    "number": ("tn",),
    "direction": ("direction",),
    "country": ("country_iso", "country_code"),
    "carrier": ("normalized_carrier",),
    "profile": ("profile_id", "outbound_profile_id", "sim_group_name", "assistant_id"),
    "connection": ("connection_id",),
    "status": ("status_v2", "hangup_details", "sip_response_code"),
    "error": ("hangup_details", "sip_response_code"),
    "tag": ("tags",),
    "type": ("message_type", "call_type", "record_type"),
    "billing_group": ("billing_group_id",),
    "number_type": ("tn_type", "product_name"),
    "model": ("model",),
    "assistant": ("assistant_id",),
    "sim": ("sim_card_id",),
    "sim_group": ("sim_group_name",),
    "currency": ("currency",),
}
"""Groups and filters, and what reports call them: the first that a product has."""
_SPELLED = {
    "tn": "number", "phone_number": "number", "numbers": "number", "date": "day", "daily": "day",
    "hourly": "hour", "monthly": "month", "countries": "country", "carriers": "carrier",
    "messaging_profile": "profile", "outbound_profile": "profile", "outbound_voice_profile": "profile",
    "connections": "connection", "tags": "tag", "billing_groups": "billing_group",
    "message_type": "type", "call_type": "type", "errors": "error", "assistants": "assistant",
}  # fmt: skip


def group_word(text: str) -> str:
    """The word of the vocabulary for a group; another one as it is, as it may be Telnyx's own."""
    plain = "_".join(text.lower().replace("-", " ").split())
    return _SPELLED.get(plain, plain)


def dimension_of(word: str, product: UsageProduct) -> str | None:
    """What the product's reports call a group; None where they don't have it."""
    names = (word, *GROUPS.get(word, ()))
    return next((each for each in names if each in product.dimensions), None)


def words_of(product: UsageProduct) -> list[str]:
    """The groups that the product's reports can make, in our words, and then in Telnyx's own."""
    times = [each for each in TIMES if {"date", "date_time"} & set(product.dimensions)]
    words = [word for word in GROUPS if dimension_of(word, product)]
    named = {dimension_of(word, product) for word in words} | {"date", "date_time"}
    return [*times, *words, *(each for each in product.dimensions if each not in named)]


METRICS: Mapping[str, tuple[str, ...]] = {
    "cost": ("cost",),
    "count": ("count", "attempted"),
    "connected": ("connected",),
    "completed": ("completed",),
    "parts": ("parts",),
    "billed_seconds": ("billed_sec",),
    "connected_seconds": ("call_sec", "duration_sec"),
    "pages": ("pages",),
    "carrier_fee": ("customer_carrier_fee",),
    "uploaded": ("uplink_data",),
    "downloaded": ("downlink_data",),
    "tokens": ("tokens", "total_tokens"),
}
"""Metrics in our words, and what reports call them: the first that a product has."""
_METRICS_SPELLED = {
    "messages": "count", "calls": "count", "attempts": "count", "attempted": "count",
    "billed_sec": "billed_seconds", "minutes": "billed_seconds", "billed_minutes": "billed_seconds",
    "call_sec": "connected_seconds", "duration": "connected_seconds", "seconds": "connected_seconds",
    "segments": "parts", "fee": "carrier_fee", "fees": "carrier_fee", "spend": "cost", "money": "cost",
}  # fmt: skip


def metric_word(text: str) -> str:
    """The word of the vocabulary for a metric; another one as it is."""
    plain = "_".join(text.lower().replace("-", " ").split())
    return _METRICS_SPELLED.get(plain, plain)


def metric_of(word: str, product: UsageProduct) -> str | None:
    """What the product's reports call a metric; None where they don't have it."""
    if word == "cost":
        return product.money_metric
    return next((each for each in (word, *METRICS.get(word, ())) if each in product.metrics), None)


def metrics_of(product: UsageProduct, words: Iterable[str] = METRICS) -> dict[str, str]:
    """The metrics of a product, by our words."""
    found = {word: metric_of(word, product) for word in words}
    return {word: name for word, name in found.items() if name}


def metric_words(product: UsageProduct) -> list[str]:
    """All that the product's reports can sum up, in our words, and then in Telnyx's own."""
    known = metrics_of(product)
    return [*known, *(each for each in product.metrics if each not in known.values())]
