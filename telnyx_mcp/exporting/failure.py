"""Why an export did not finish."""

from __future__ import annotations


class ExportFailure(Exception):
    """The export did not finish. Its text says why and what to do; `status` is the exit status: 1, or
    2 if the command was called incorrectly."""

    def __init__(self, why: str, status: int = 1) -> None:
        super().__init__(why)
        self.status = status
