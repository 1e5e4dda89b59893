"""Phone numbers in any usual spelling, and the country that a number belongs to."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def country_of(number: str) -> str | None:
    """The country of a number in E.164, `+4930123456`, as an ISO code, `DE`; None if unknown.

    The North American numbers of several countries are distinguished by their area codes.
    """
    import phonenumbers  # takes 20 ms, and few calls need it

    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


def e164(text: str) -> str | None:
    """The number as Telnyx writes it, `+13125550100`, from any usual spelling: `(312) 555-0100`,
    `1-312-555-0100`, `0049 30 123456`, `tel:+49-30-123456`. None for a text that is not a phone number.

    A number without a country is taken for one of the United States, where most of Telnyx's are.
    """
    import phonenumbers

    spelled = text.strip().removeprefix("tel:")
    if spelled.startswith("00"):
        spelled = f"+{spelled[2:]}"
    try:
        number = phonenumbers.parse(spelled, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def spellings(number: str) -> set[str]:
    """The number in E.164, and its digits: a report may leave out the plus sign."""
    digits = re.sub(r"[^0-9]", "", number)
    return {each for each in (e164(number), digits and f"+{digits}") if each}
