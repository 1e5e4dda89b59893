"""Signatures of rows: a question or approval is valid only if a process with the API key wrote it.

The ledger is a file of the user. Without signatures, one UPDATE by any program of that user would
approve a payment, or show the approver a different amount than the one that is paid. A proposal is signed
when it is written and checked before it is shown and approved; an approval is signed, with all that was
approved, and checked before it is sent.
"""

from __future__ import annotations

import getpass
import hmac
import json
from collections.abc import Mapping
from typing import Any

LABEL = b"telnyx-account-mcp/ledger/v1/"
"""Keeps this key apart from any other that is derived from the API key."""


class LedgerSigner:
    """Signs and checks rows with a key derived from the API key (HMAC-SHA-256)."""

    def __init__(self, api_key: str, salt: str) -> None:
        self._key = hmac.digest(api_key.encode(), LABEL + salt.encode(), "sha256")

    def sign(self, content: Mapping[str, Any]) -> str:
        """The signature of these columns, 64 hexadecimal digits. The order of names does not matter."""
        message = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hmac.digest(self._key, message.encode(), "sha256").hex()

    def is_valid(self, content: Mapping[str, Any], signature: str | None) -> bool:
        """Whether the signature is that of these columns."""
        try:
            return hmac.compare_digest(self.sign(content), signature or "")
        except TypeError:  # bytes in the row, or letters in the signature: another program wrote it
            return False


def this_user() -> str:
    """The user of this computer, who decides on the page and at the terminal; "" if it is unknown."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such entry in the user database, as in some containers
        return ""
