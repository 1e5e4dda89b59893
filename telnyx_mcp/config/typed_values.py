"""Values of settings as people type them: amounts, time zones, yes and no.

What can only be meant one way is understood. Anything else raises `ValueError`, whose text continues
the name of the setting, and does not show the value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SWITCHES: Mapping[str, bool] = {
    **dict.fromkeys(("true", "1", "yes", "y", "on", "t"), True),
    **dict.fromkeys(("false", "0", "no", "n", "off", "f"), False),
}
_CURRENCY = r"(?:us ?\$|\$|usd)"
_AMOUNT = re.compile(
    r"\d+(?:[.,]\d{1,2})?"  # 500  500.00  500,5
    r"|\d{1,3}(?:[ '\u2019]\d{3})+(?:[.,]\d{1,2})?"  # 1 000  1'000.00
    r"|\d{1,3}(?:,\d{3})+\.\d{1,2}|\d{1,3}(?:\.\d{3})+,\d{1,2}"  # 1,000.00  1.000,00
    r"|\d{1,3}(?:,\d{3}){2,}|\d{1,3}(?:\.\d{3}){2,}"  # 1,000,000  1.000.000
)


def typed_switch(text: str) -> bool:
    """True or false."""
    if (value := SWITCHES.get(text.strip().lower())) is None:
        raise ValueError("must be true or false")
    return value


def typed_amount(text: str) -> Decimal:
    """An amount: `500`, `$500`, `500 USD`, `500,00`, `1,000.00`. `1.000` and `1,000` could be one or a
    thousand, and are refused."""
    bare = _without_currency(unicodedata.normalize("NFKC", text).strip())
    if not _AMOUNT.fullmatch(bare):
        raise ValueError(
            "must be an amount such as 500.00: digits, a point, at most two decimals, and no other mark"
        )
    decimals = re.search(r"[.,](\d{1,2})$", bare)
    if decimals is None:
        return Decimal(re.sub("[^0-9]", "", bare))
    return Decimal(f"{re.sub('[^0-9]', '', bare[: decimals.start()])}.{decimals[1]}")


def _without_currency(text: str) -> str:
    if before := re.match(_CURRENCY, text, re.IGNORECASE):
        return text[before.end() :].strip()
    return re.sub(f"{_CURRENCY}$", "", text, flags=re.IGNORECASE).strip()


def typed_zone(text: str) -> str:
    """The name of a time zone: `Europe/Berlin`, also for `europe/berlin`, `Berlin` and `new york` for
    `America/New_York`, where one zone only has the name."""
    text = text.strip()
    if _is_zone(text):
        return text
    from zoneinfo import available_timezones  # looks at hundreds of files

    zones = sorted(available_timezones())
    wanted = _squashed(text)
    cities: dict[str, list[str]] = {}
    for each in zones:
        cities.setdefault(_squashed(each.rpartition("/")[2]), []).append(each)
    found = [each for each in zones if _squashed(each) == wanted] or cities.get(wanted, [])
    if len(found) == 1:
        return found[0]
    near = found or cities.get(next(iter(get_close_matches(wanted, cities, 1, 0.8)), ""), [])
    hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
    raise ValueError(f"must be an IANA name such as UTC or Europe/Berlin{hint}")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return True


def _squashed(name: str) -> str:
    """The name without case, accents and the marks between words."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return re.sub("[^a-z0-9/+-]", "", plain)
