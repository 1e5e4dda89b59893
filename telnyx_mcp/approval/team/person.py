"""A person, or a program with an identity of its own, as the identity provider names it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks or decides. `issuer` and `subject` say who it is; the rest is for display and for roles."""

    issuer: str
    subject: str
    name: str = ""
    """What to call them: a name or an e-mail address."""
    groups: frozenset[str] = frozenset()
    """The groups that the identity provider lists them in, which roles are given to."""
    client_id: str = ""
    """The OAuth client that the token was issued to; empty on the pages."""

    @property
    def label(self) -> str:
        """The name, or the subject of one without a name."""
        return self.name or self.subject

    def is_same(self, issuer: str | None, subject: str | None) -> bool:
        """Whether this is that person. A name is not compared: two people may share it."""
        return (self.issuer, self.subject) == (issuer, subject)
