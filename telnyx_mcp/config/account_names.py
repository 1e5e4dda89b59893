"""What a model is shown where several accounts are configured.

A server changes one account only, the main one, which comes first. The others may be read.
"""

from __future__ import annotations

from collections.abc import Sequence

ARGUMENT = "account"


def account_argument(names: Sequence[str]) -> dict[str, object]:
    """The argument of reading tools that names an account, as published."""
    return {
        "type": "string",
        "enum": list(names),
        "description": f"Which account; default {names[0]}.",
    }


def about_accounts(names: Sequence[str]) -> str:
    """A text for the instructions; empty if there is only one account."""
    if not names:
        return ""
    return (
        f" Several accounts are configured: {', '.join(names)}. Reading tools take `{ARGUMENT}`; "
        f"without it, and for every change, it is {names[0]}."
    )
