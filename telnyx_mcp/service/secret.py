"""The secret that all replicas share, and the keys derived from it: one for each purpose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VARIABLE = "TELNYX_MCP_SERVICE_SECRET"
SHORTEST = 32


class SecretError(Exception):
    """The secret can't be used. Its text says why and never shows it."""


@dataclass(frozen=True, slots=True)
class ServiceSecret:
    """The secrets, newest first: the first one seals and signs, all of them open and check.

    To replace a secret without a failed request, roll out `old,new`, then `new,old`, then `new` after
    eight hours, when no session is left that the old one sealed.
    """

    values: Sequence[bytes] = field(repr=False)

    @classmethod
    def from_text(cls, text: str | None) -> ServiceSecret:
        """The secrets of `TELNYX_MCP_SERVICE_SECRET`, separated by commas or spaces. Raises `SecretError`."""
        values = [each.encode() for each in re.split(r"[,\s]+", text or "") if each]
        if not values:
            raise SecretError(
                f"{VARIABLE} is not set. All replicas need the same one: "
                '`python3 -c "import secrets; print(secrets.token_urlsafe(48))"` prints a new one'
            )
        if any(len(each) < SHORTEST for each in values):
            raise SecretError(
                f"{VARIABLE} holds a secret that is shorter than {SHORTEST} characters"
            )
        return cls(tuple(values))

    def keys(self, purpose: str) -> list[bytes]:
        """Keys of 32 bytes for this purpose, one of each secret. Keys of different purposes tell nothing
        about each other."""
        return [
            HKDF(SHA256(), 32, None, f"telnyx-account-mcp/service/v1/{purpose}".encode()).derive(
                each
            )
            for each in self.values
        ]
