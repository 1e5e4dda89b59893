"""The one way for a tool to fail with an explanation."""

from __future__ import annotations


class ToolFailure(Exception):
    """A call can't give what was asked. The text is for the model.

    `summary` says what was done or not, `why` the reason, `again` whether and when another try
    helps, and `do` what to do next. All but `summary` are sentences, and may be empty.
    """

    def __init__(self, summary: str, why: str = "", *, again: str = "", do: str = "") -> None:
        self.summary = summary
        self.why = why
        self.again = again
        self.do = do
        first = f"{summary}: {why}" if why else summary
        super().__init__(" ".join(filter(None, (first, do, again))))


def not_asked(why: str, do: str = "", *, again: str = "") -> ToolFailure:
    """A failure before any request: `Nothing was asked of Telnyx: {why} {do}`."""
    return ToolFailure("Nothing was asked of Telnyx", why, again=again, do=do)
