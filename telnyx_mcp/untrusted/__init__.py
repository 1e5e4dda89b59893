"""Text from the account that third parties may have written: names, tags, records, webhook bodies.

`redact` makes it safe to show to a model, in a terminal or in a file: without hidden characters and
secrets, cut to size. Fields whose names begin with `untrusted_` hold text of third parties.
"""

from telnyx_mcp.untrusted.characters import visible
from telnyx_mcp.untrusted.known import MASK, may_hold_keys, remember, without_keys_in
from telnyx_mcp.untrusted.redaction import (
    LARGEST_NUMBER,
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
    "LARGEST_NUMBER",
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
