"""Every scenario of the conformance suite for servers, and what becomes of it here.

A scenario that means something on any server is run against the server as it is; one that wants
tools, resources or prompts of its own names, against the overlaid one. What is left out, or known to
fail, stands here with its reason: a gap is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Revisions = tuple[str, ...]

OLDEST, OLD, LEGACY, MODERN = "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"
REVISIONS: Revisions = (OLDEST, OLD, LEGACY, MODERN)

ON_ANY_SERVER: Mapping[str, Revisions] = {
    "server-initialize": (OLD, LEGACY),
    "server-session-lifecycle": (OLDEST, OLD, LEGACY),
    "ping": (OLD, LEGACY),
    "tools-list": (OLD, LEGACY, MODERN),
    "resources-list": (OLD, LEGACY, MODERN),
    "prompts-list": (OLD, LEGACY, MODERN),
    "server-sse-multiple-streams": (LEGACY, MODERN),
    "dns-rebinding-protection": (LEGACY, MODERN),
    "sep-2164-resource-not-found": (MODERN,),
    "caching": (MODERN,),
    "http-header-validation": (MODERN,),
    "input-required-result-unsupported-methods": (MODERN,),
}

WITH_FIXTURES: Mapping[str, Revisions] = {
    "server-stateless": (MODERN,),
    "logging-set-level": (OLD, LEGACY),
    "completion-complete": (OLD, LEGACY, MODERN),
    "tools-call-simple-text": (OLD, LEGACY, MODERN),
    "tools-call-image": (OLD, LEGACY, MODERN),
    "tools-call-audio": (OLD, LEGACY, MODERN),
    "tools-call-embedded-resource": (OLD, LEGACY, MODERN),
    "tools-call-mixed-content": (OLD, LEGACY, MODERN),
    "tools-call-with-logging": (OLD, LEGACY),
    "tools-call-error": (OLD, LEGACY, MODERN),
    "tools-call-with-progress": (OLD, LEGACY, MODERN),
    "tools-call-sampling": (OLD, LEGACY),
    "tools-call-elicitation": (OLD, LEGACY),
    "json-schema-2020-12": (LEGACY, MODERN),
    "elicitation-sep1034-defaults": (LEGACY,),
    "elicitation-sep1330-enums": (LEGACY,),
    "server-sse-polling": (LEGACY,),
    "resources-read-text": (OLD, LEGACY, MODERN),
    "resources-read-binary": (OLD, LEGACY, MODERN),
    "resources-templates-read": (OLD, LEGACY, MODERN),
    "resources-subscribe": (OLD, LEGACY),
    "resources-unsubscribe": (OLD, LEGACY),
    "prompts-get-simple": (OLD, LEGACY, MODERN),
    "prompts-get-with-args": (OLD, LEGACY, MODERN),
    "prompts-get-embedded-resource": (OLD, LEGACY, MODERN),
    "prompts-get-with-image": (OLD, LEGACY, MODERN),
    "http-custom-header-server-validation": (MODERN,),
    "input-required-result-basic-elicitation": (MODERN,),
    "input-required-result-basic-sampling": (MODERN,),
    "input-required-result-basic-list-roots": (MODERN,),
    "input-required-result-request-state": (MODERN,),
    "input-required-result-multiple-input-requests": (MODERN,),
    "input-required-result-multi-round": (MODERN,),
    "input-required-result-missing-input-response": (MODERN,),
    "input-required-result-non-tool-request": (MODERN,),
    "input-required-result-result-type": (MODERN,),
    "input-required-result-tampered-state": (MODERN,),
    "input-required-result-capability-check": (MODERN,),
    "input-required-result-ignore-extra-params": (MODERN,),
    "input-required-result-validate-input": (MODERN,),
}

_NO_LOGGING = (
    "The server declares no `logging`, deprecated in 2026-07-28, and the SDK answers "
    "logging/setLevel, with which the scenario begins, with -32601."
)
_NO_SUBSCRIPTIONS = "The server declares no `resources.subscribe`, and has no handler for it."


@dataclass(frozen=True)
class Known:
    """The checks of a scenario that fail, or are warned of, and why."""

    checks: tuple[str, ...]
    reason: str


EXPECTED_FAILURES: Mapping[str, Known] = {
    "logging-set-level": Known(("logging-set-level",), _NO_LOGGING),
    "tools-call-with-logging": Known(("tools-call-with-logging",), _NO_LOGGING),
    "resources-subscribe": Known(("resources-subscribe",), _NO_SUBSCRIPTIONS),
    "resources-unsubscribe": Known(("resources-unsubscribe",), _NO_SUBSCRIPTIONS),
    "server-stateless": Known(
        (
            "sep-2575-server-sends-subscription-ack",
            "sep-2575-server-tags-subscription-id",
            "sep-2575-server-honors-notification-filter",
            "sep-2575-server-sends-prompts-list-changed-on-subscription",
            "sep-2575-server-sends-tools-list-changed-on-subscription",
        ),
        "Skipped by the suite: the lists never change, so the server offers no subscriptions.",
    ),
    "server-sse-polling": Known(
        ("server-sse-priming-event", "server-sse-retry-field"),
        "Recommended only. The SDK lets a stream be resumed where an event store is given; calls of "
        "this server are short, and what a lost answer said of a change is in the ledger.",
    ),
}

_SKILLS = "An extension that the server does not declare: it has no skills."
_TASKS = "An extension that the server does not declare: calls are short, and approval is no task."
LEFT_OUT: Mapping[str, str] = {
    "sep-2640-skills-directory": _SKILLS,
    "sep-2640-skills-enumeration": _SKILLS,
    "sep-2640-skills-manifest": _SKILLS,
    "tasks-lifecycle": _TASKS,
    "tasks-capability-negotiation": _TASKS,
    "tasks-wire-fields": _TASKS,
    "tasks-request-state-removal": _TASKS,
    "tasks-mrtr-input": _TASKS,
    "tasks-request-headers": _TASKS,
    "tasks-dispatch-and-envelope": _TASKS,
    "tasks-status-notifications": _TASKS,
    "tasks-required-task-error": _TASKS,
    "tasks-mrtr-composition": _TASKS,
}
