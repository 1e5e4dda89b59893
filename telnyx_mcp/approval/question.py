"""The question that an approver answers, as data.

The operation writes it, the ledger stores it as JSON, and each channel renders it: `text` for the MCP
client and the terminal, `page.render` for the browser.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

NOTE = "NOTE: "


class Fact(NamedTuple):
    """A line of the question: `name: value`, or the value alone if the name is empty."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """What an approver reads. Every part is one line of plain text."""

    title: str
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()
    """What deserves attention, such as a recent payment of the same amount."""
    prompt: str = ""
    """How to approve: "To approve, type the amount: 120.00"."""
    typed: str | None = None
    """The figure that has to be typed, such as `120.00`; None if ticking a box is enough."""
    action: str = "Make this change"
    """The label of the button that approves."""

    @property
    def text(self) -> str:
        """The question for a client and a terminal, one part to a line."""
        lines = [
            self.title,
            *(f"{name}: {value}" if name else value for name, value in self.facts),
            *(f"{NOTE}{note}" for note in self.notes),
            self.prompt,
        ]
        return "\n".join(line for line in lines if line)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Question:
        """The question as `to_json` wrote it. Raises `ValueError` for anything else."""
        try:
            stored: dict[str, Any] = json.loads(text)
            facts = tuple(Fact(str(name), str(value)) for name, value in stored.pop("facts"))
            return cls(**{**stored, "facts": facts, "notes": tuple(stored["notes"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not a stored question") from error

    @classmethod
    def from_text(cls, text: str, typed: str | None) -> Question:
        """A question of version 1 of the ledger, which stored its text alone. Its lines stay whole."""
        title, *lines = text.splitlines() or [""]
        return cls(title, tuple(Fact("", line) for line in lines), typed=typed)
