"""Who wants to know what the rate limit costs."""

from __future__ import annotations


class PaceWatch:
    """Notified of waits and refusals; this one ignores them. `endpoint` is a path of the API's document,
    without ids."""

    def waited(self, endpoint: str, seconds: float) -> None:
        """A request waited for its turn."""

    def turned_away(self, endpoint: str) -> None:
        """A request was not sent, as its turn was too far away."""

    def refused(self, endpoint: str, *, own: bool) -> None:
        """An answer was a 429; `own`: Telnyx's, not that of something in front of it."""
