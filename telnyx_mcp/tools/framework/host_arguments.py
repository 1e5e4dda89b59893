"""The arguments that a caller meant, from what its host sent.

Hosts add arguments of their own, fill in those that the model left out, and wrap all of them into one.
The model can change none of that, so an error would come back at every call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from telnyx_mcp.tools.framework.arguments import Params

ADDED_BY_HOSTS: Mapping[str, str] = {
    "action": "n8n, from its chat trigger: sendMessage",
    "callbacks": "LangChain",
    "chatinput": "n8n, from its chat trigger",
    "config": "LangChain, a RunnableConfig",
    "conversationid": "Dify, Copilot Studio",
    "dummy": "hosts whose models need a parameter, where a tool has none",
    "explanation": "Cursor, why the tool is called",
    "messageid": "chat hosts and gateways",
    "metadata": "LangChain, gateways",
    "noop": "as dummy",
    "noparams": "as dummy",
    "placeholder": "as dummy",
    "progresstoken": "hosts that put the protocol's _meta among the arguments",
    "randomstring": "Cursor, as dummy",
    "requestheartbeat": "Letta",
    "requestid": "gateways",
    "runid": "LangChain, OpenAI Assistants",
    "runmanager": "LangChain",
    "sessionid": "n8n, from its chat trigger; Flowise",
    "success": "n8n, from the node before",
    "taskprogress": "Cline, its list of steps",
    "threadid": "LangGraph, OpenAI Assistants",
    "tool": "n8n, the name of the tool",
    "toolaction": "Antigravity, what it shows while the tool runs",
    "toolcallid": "n8n, from its agent",
    "toolname": "gateways",
    "toolsummary": "Antigravity, what it shows while the tool runs",
    "traceid": "gateways",
    "waitforprevious": "Gemini CLI",
    "waitforprevioustools": "Windsurf, Antigravity",
}
"""Names of arguments that no tool has, without case and signs, and who adds them."""
_HOSTS_VALUES: Mapping[str, frozenset[str]] = {
    "action": frozenset({"sendMessage", "loadPreviousSession"}),
}
"""What only a host says, where a model may mean something by the same name."""
_WRAPPERS = frozenset(
    {"arg1", "args", "arguments", "input", "kwargs", "parameters", "params", "query", "toolinput"}
)
"""One argument that holds all others, as an object or as its JSON. Where a tool has no parameters, hosts
invent one of these."""
EMPTY_WORDS = frozenset({"null", "Null", "NULL", "None", "none", "NONE", "undefined", "nil"})
"""What programs write where there is no value."""
_LONGEST_EMPTY = 100
_ZERO = re.compile(r"[+-]?0+(\.0+)?", re.ASCII)


def meant_arguments(params: type[Params], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without what hosts add, and without those that are empty.

    An argument that looks like a real one stays, so that the error can name the real one.
    """
    meant = _meant(params, sent)
    if len(meant) == 1:
        ((name, value),) = meant.items()
        if _plain(name) in _WRAPPERS and name not in params.model_fields:
            if (wrapped := _object(value)) is not None:
                return _meant(params, wrapped)
            if not params.model_fields:
                return {}
    return meant


def _meant(params: type[Params], sent: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in sent.items()
        if not _is_absent(params, name, value) and not _is_the_hosts(params, name, value, sent)
    }


def _is_the_hosts(params: type[Params], name: str, value: object, sent: Mapping[str, Any]) -> bool:
    if name in params.model_fields:
        return False
    plain = _plain(name)
    if any(plain == _plain(each) for each in params.model_fields if each not in sent):
        return False
    if name.lower() in params.instead:
        return value in _HOSTS_VALUES.get(plain, ()) if isinstance(value, str) else False
    return plain in ADDED_BY_HOSTS or (name.startswith("_") and plain not in _WRAPPERS)


def _is_absent(params: type[Params], name: str, value: object) -> bool:
    if isinstance(value, str) and value.strip() in params.words.get(name, ()):
        return False
    field = params.model_fields.get(name)
    return is_empty(value) or (field is not None and _is_no_count(field, value))


def is_empty(value: object) -> bool:
    """Whether a value says nothing: blanks, `null`, `[]`, `[""]`, also as text. A word in a list is a word
    that somebody looks for."""
    if isinstance(value, str):
        text = value[: _LONGEST_EMPTY + 1].strip()
        if len(text) <= _LONGEST_EMPTY and text.startswith(("[", "{", '"')):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                return False
    if isinstance(value, str) and value.strip() in EMPTY_WORDS:
        return True
    return _holds_nothing(value)


def _holds_nothing(value: object, depth: int = 3) -> bool:
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return not value or (depth > 0 and all(_holds_nothing(each, depth - 1) for each in inner))
    return value is None or (isinstance(value, str) and value.strip() in ("", "''"))


def _is_no_count(field: FieldInfo, value: object) -> bool:
    """Whether this is a 0 for a number that begins at 1: a page, a count of rows, days."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    from_one = any(getattr(each, "ge", None) == 1 for each in field.metadata)
    return from_one and bool(_ZERO.fullmatch(str(value).strip()))


def _object(value: object) -> dict[str, Any] | None:
    """The object that a value is, or is the JSON of."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()[:80])
