"""Log lines: one JSON object a line on stdout, from every library by the same formatter."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from telnyx_mcp.untrusted import visible, without_keys_in

LONGEST = 4000
"""Characters of one text; more of them are cut."""
FIELDS = "fields"
"""The name, in `extra`, of what a record has besides its message."""
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*")
_USERINFO = re.compile(r"(?<=://)[^\s/@]{1,200}@")
_QUIET = (
    "httpx",
    "httpcore",
    "httpx2",
    "httpcore2",
    "mcp",
    "sse_starlette",
    "uvicorn",
    "opentelemetry",
)
"""Libraries that tell of every request, or of our own tools' arguments, unless something is wrong."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and its `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": safe(_message(record)),
        }
        fields = getattr(record, FIELDS, None)
        if isinstance(fields, Mapping):
            line |= {str(name): _safe_value(value) for name, value in fields.items()}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _where(record)
        return json.dumps(line, ensure_ascii=True, separators=(",", ":"))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's own mistake in its arguments
        return str(record.msg)


def _where(record: logging.LogRecord) -> list[str]:
    """The places that an exception came through, without its text: that may hold an argument."""
    frames = traceback.extract_tb(record.exc_info[2] if record.exc_info else None)
    return [f"{each.filename}:{each.lineno} {each.name}" for each in frames[-12:]]


def safe(text: str) -> str:
    """The text without tokens and secrets of this process, cut to size, its control characters visible."""
    text = without_keys_in(text[: 4 * LONGEST])
    for pattern, mask in ((_JWT, "***"), (_BEARER, r"\1 ***"), (_USERINFO, "***@")):
        text = pattern.sub(mask, text)
    return visible(text)[:LONGEST]


def _safe_value(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return safe(str(value))


def log_to(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """From now on every record of the process goes to `stream` (stdout) as a line, and nowhere else."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a full disk behind stdout stops no call
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
