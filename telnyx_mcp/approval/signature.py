"""Signed decisions: an approval counts only if it was written by a process that has the API key.

The ledger is a file of the user. Without a signature, one UPDATE by any program of that user would
approve a payment. The signature covers all that was approved, and is checked before it is sent.
"""

from __future__ import annotations

import getpass
import hmac
import json
from collections.abc import Mapping
from typing import Any

LABEL = b"telnyx-account-mcp/decision/v1/"
"""Keeps this key apart from any other that is derived from the API key."""


class DecisionSigner:
    """Signs and checks decisions with a key derived from the API key (HMAC-SHA-256)."""

    def __init__(self, api_key: str, salt: str) -> None:
        self._key = hmac.digest(api_key.encode(), LABEL + salt.encode(), "sha256")

    def sign(self, decision: Mapping[str, Any]) -> str:
        """The signature of a decision, 64 hexadecimal digits. The order of names does not matter."""
        message = json.dumps(decision, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hmac.digest(self._key, message.encode(), "sha256").hex()

    def is_valid(self, decision: Mapping[str, Any], signature: str | None) -> bool:
        """Whether the signature is this decision's."""
        return hmac.compare_digest(self.sign(decision), signature or "")


def this_user() -> str:
    """The user of this computer, who decides on the page and at the terminal; "" if it is unknown."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such entry in the user database, as in some containers
        return ""
