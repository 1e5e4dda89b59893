"""The words of `telnyx_summarize_usage`: products, groups, metrics, filters, times, as users say them."""

from __future__ import annotations

from operator import itemgetter

import pytest

from telnyx_mcp.billing.records import RECORD_TYPES
from telnyx_mcp.telnyx.usage_reports import UsageProduct
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.support.spelling import country_of, e164
from telnyx_mcp.tools.support.usage_question import filters_of, passes
from telnyx_mcp.tools.support.vocabulary import (
    PRODUCTS,
    dimension_of,
    group_word,
    metric_of,
    metric_word,
    product_named,
    words_of,
)

MESSAGING = UsageProduct(
    "messaging",
    (
        "date",
        "direction",
        "currency",
        "country_iso",
        "status_v2",
        "normalized_carrier",
        "tn",
        "mcc",
    ),
    ("cost", "count", "parts", "customer_carrier_fee"),
)
VOICE = UsageProduct(
    "sip-trunking",
    ("date", "date_time", "direction", "country_code", "country_iso", "connection_id", "tags"),
    ("attempted", "connected", "call_sec", "billed_sec", "cost"),
)


@pytest.mark.parametrize(
    ("said", "product"),
    [
        ("sms", "messaging"),
        ("Messages", "messaging"),
        ("text messages", "messaging"),
        ("calls", "sip-trunking"),
        ("call", "sip-trunking"),
        ("voice", "sip-trunking"),
        ("call_control", "call-control"),
        ("verify", "verify-2fa"),
        ("fax", "fax-api"),
        ("FAXES", "fax-api"),
        ("stt", "speech-to-text"),
        ("speech-to-text", "speech-to-text"),
        ("speech to text", "speech-to-text"),
        ("media_storage", "media-storage"),
        ("media-storage", "media-storage"),
        ("sim", "wireless"),
    ],
)
def test_a_product_is_understood_by_everyday_words(said: str, product: str) -> None:
    found = product_named(said)
    assert found
    assert found.name == product


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_every_record_type_names_a_product(record_type: str) -> None:
    found = product_named(record_type)
    assert found
    assert found.record_type == record_type


def test_no_word_means_two_products() -> None:
    words = [w for p in PRODUCTS for w in {p.name, p.record_type or p.name, *p.words}]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("said", "product", "dimension"),
    [
        ("number", MESSAGING, "tn"),
        ("phone number", MESSAGING, "tn"),
        ("Country", MESSAGING, "country_iso"),
        ("country", VOICE, "country_iso"),
        ("carrier", MESSAGING, "normalized_carrier"),
        ("status", MESSAGING, "status_v2"),
        ("mcc", MESSAGING, "mcc"),
        ("tags", VOICE, "tags"),
        ("country_code", VOICE, "country_code"),
        ("carrier", VOICE, None),
        ("weather", MESSAGING, None),
    ],
)
def test_a_group_is_the_dimension_that_the_product_has(
    said: str, product: UsageProduct, dimension: str | None
) -> None:
    assert dimension_of(group_word(said), product) == dimension


@pytest.mark.parametrize(
    ("said", "product", "metric"),
    [
        ("cost", MESSAGING, "cost"),
        ("count", VOICE, "attempted"),
        ("calls", VOICE, "attempted"),
        ("segments", MESSAGING, "parts"),
        ("billed seconds", VOICE, "billed_sec"),
        ("call_sec", VOICE, "call_sec"),
        ("fees", MESSAGING, "customer_carrier_fee"),
        ("pages", MESSAGING, None),
    ],
)
def test_a_metric_is_the_one_that_the_product_has(
    said: str, product: UsageProduct, metric: str | None
) -> None:
    assert metric_of(metric_word(said), product) == metric


def test_the_groups_of_a_product_are_listed_in_our_words_and_then_in_telnyxs() -> None:
    assert words_of(MESSAGING) == [
        *("month", "day", "hour", "number", "direction", "country", "carrier", "status"),
        *("currency", "mcc"),
    ]


ROW = {"direction": "outbound", "country": "DE", "number": "+13125550100", "status": "Delivered"}


def row_passes(*filters: str) -> bool:
    return passes(filters_of(list(filters)), ROW, {word: itemgetter(word) for word in ROW})


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], True),
        (["direction=outbound"], True),
        (["direction = inbound"], False),
        (["direction!=inbound"], True),
        (["country=US", "country=DE"], True),
        (["country=US", "country=FR"], False),
        (["country=DE", "direction=inbound"], False),
        (["country!=US", "country!=DE"], False),
        (["status~deliver"], True),
        (["status~fail"], False),
        (["status=delivered"], True),
        (["number=(312) 555-0100"], True),
        (["number=1-312-555-0100"], True),
        (["number!=+13125550100"], False),
        (["number~0100"], True),
    ],
)
def test_a_filter_keeps_what_it_names(filters: list[str], expected: bool) -> None:
    assert row_passes(*filters) == expected


@pytest.mark.parametrize("text", ["direction", "=outbound", "direction=", "cost>5", "a<b", "!=x"])
def test_a_filter_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ToolFailure, match="name=value"):
        filters_of([text])


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        ("+13125550100", "+13125550100"),
        ("(312) 555-0100", "+13125550100"),
        ("312.555.0100", "+13125550100"),
        ("1-312-555-0100", "+13125550100"),
        ("0049 30 123456", "+4930123456"),
        ("tel:+49-30-123456", "+4930123456"),
        ("delivered", None),
        ("12", None),
        ("", None),
    ],
)
def test_a_phone_number_is_understood_in_any_usual_spelling(
    spelled: str, number: str | None
) -> None:
    assert e164(spelled) == number


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+4930123456", "DE"),
        ("+14165550100", "CA"),
        ("+13125550100", "US"),
        ("+18765550100", "JM"),
        ("40008", None),
        ("", None),
    ],
)
def test_the_country_of_a_number_comes_from_its_prefix(number: str, country: str | None) -> None:
    assert country_of(number) == country
