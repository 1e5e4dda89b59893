"""Whether a name says that its value is a secret.

A name is split into words (`X-Functions-Key`, `clientSecret`, `v1_secret`) and judged by its last
one: `access_token` is a secret, `token_count`, `author` and `call_session_id` are not.
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import lru_cache

LONGEST_NAME = 200


class Place(IntEnum):
    """Where a name stands. Each place knows the secrets of the places before it, and more."""

    FIELD = 0
    """A field of a record or of JSON: `code` and `key` are ordinary names there."""
    HEADER = 1
    """An HTTP header."""
    QUERY = 2
    """A parameter of a URL or of a form."""


def words(text: str) -> frozenset[str]:
    """A set of words, written as a line of them."""
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_QUALIFIERS = words(
    "value values text plain plaintext hash hashed raw encoded encrypted base b64 hex md "
    "sha hmac ed current old new previous next v header string digest"
)
"""Words behind the one that counts: `password_hash`, `X-Hub-Signature-256`."""
_SECRETS = words(
    "password passwd passphrase passcode pwd pw pin secret token credential cookie "
    "signature sig auth oauth authorization jwt otp totp cvv cvc apikey apitoken "
    "apisecret secretkey privatekey accesskey authkey authtoken accesstoken refreshtoken "
    "idtoken sessiontoken clientsecret userpassword setcookie sessionkey signingkey "
    "connectionstring"
)
_SECRET_CODES = words(
    "pin security auth authorization verification access login otp mfa recovery backup oauth sms"
)
"""What makes a `code` a secret; a country's or an error's is not."""
_ORDINARY_KEYS = words(
    "primary foreign public sort partition unique composite idempotency cache routing "
    "message object group hash map dtmf digit pound star finish terminating translation "
    "i18n"
)
"""What makes a `key` an ordinary one; any other key of two words is a secret."""
_COUNTED = words("max min total prompt completion input output cached reasoning num number of")
"""What makes `tokens` a number of them."""
_MORE: dict[Place, frozenset[str]] = {
    Place.FIELD: frozenset(),
    Place.HEADER: words("key session sessionid sid bearer authentication"),
    Place.QUERY: words(
        "code key session sessionid sid phpsessid jsessionid bearer sign pass hash hmac "
        "ticket nonce assertion samlresponse access awsaccesskeyid k"
    ),
}
"""Whole names that are secrets in this place only."""
_SIGNED = re.compile(r"x-(amz|goog|ms)-(?!date$|algorithm$|expires$)", re.IGNORECASE)
_NUMBERS = words("password passwd passcode pwd pin otp cvv cvc code secret")
"""Secrets that can be numbers. `tokens: 512` counts them."""


def secret_word(name: str, place: Place = Place.FIELD) -> str:
    """The word that makes the value of this name a secret; empty if there is none."""
    return _secret_word(name[-LONGEST_NAME:], place)


@lru_cache(maxsize=4096)
def _secret_word(name: str, place: Place) -> str:
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
    parts = [each.lower() for each in _WORD.findall(name)]
    whole = "".join(parts)
    if place and (whole in _MORE[place] or (place is Place.QUERY and _SIGNED.match(name))):
        return whole
    while len(parts) > 1 and (parts[-1] in _QUALIFIERS or parts[-1].isdigit()):
        parts.pop()
    if not parts:
        return ""
    before, last = parts[-2] if len(parts) > 1 else "", parts[-1]
    if last == "tokens" and before in _COUNTED:
        return ""
    if last not in _SECRETS and last.endswith("s"):
        last = last[:-1]
    if last == "code":
        return last if before in _SECRET_CODES else ""
    if last == "key":
        return last if before and before not in _ORDINARY_KEYS else ""
    return last if last in _SECRETS else ""


def can_be_number(word: str) -> bool:
    """Whether a secret of this kind may be written as a number."""
    return word in _NUMBERS
