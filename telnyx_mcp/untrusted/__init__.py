"""What comes from the account and may be written by strangers: names, tags, records, webhook bodies.

`redact` makes it fit for a reader, who may be a model, a terminal or a file: no hidden characters, no
secrets, cut to size. Fields whose names begin with `untrusted_` hold text that a stranger wrote.
"""

from telnyx_mcp.untrusted.characters import visible
from telnyx_mcp.untrusted.known import MASK, may_hold_keys, remember, without_keys_in
from telnyx_mcp.untrusted.redaction import (
    LONGEST_TEXT,
    cut,
    one_line,
    redact,
    sanitize,
    sanitize_link,
    shorten,
    to_json,
)

__all__ = [
    "LONGEST_TEXT",
    "MASK",
    "cut",
    "may_hold_keys",
    "one_line",
    "redact",
    "remember",
    "sanitize",
    "sanitize_link",
    "shorten",
    "to_json",
    "visible",
    "without_keys_in",
]
