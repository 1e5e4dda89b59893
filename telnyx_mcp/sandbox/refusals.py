"""Refusals: a request that the account turns down, and the error body that Telnyx documents for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TITLES: dict[int, tuple[str, str, str]] = {
    400: ("10015", "Bad Request", "The request is not valid."),
    401: ("10009", "Authentication failed", "The API key is missing or unknown."),
    403: ("10010", "Authorization failed", "Insufficient permissions for this operation."),
    404: ("10005", "Resource not found", "The requested resource or URL could not be found."),
    408: ("10008", "Request timeout", "The request took too long."),
    409: ("10036", "Conflict", "A request with the same key is in progress."),
    422: ("10015", "Unprocessable entity", "The request could not be processed."),
    429: (
        "10011",
        "Too many requests",
        "You have exceeded the maximum number of allowed requests.",
    ),
    500: ("10007", "Unexpected error", "An unexpected error occurred."),
    502: ("10007", "Bad gateway", "An upstream service did not answer."),
    503: ("10007", "Service unavailable", "Service temporarily unavailable."),
    504: ("10008", "Gateway timeout", "An upstream service took too long."),
}


class Refusal(Exception):
    """A request turned down: status, and one documented error."""

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        code: str | None = None,
        title: str | None = None,
        parameter: str | None = None,
        pointer: str | None = None,
    ) -> None:
        usual = TITLES.get(status, ("10007", "Error", "The request failed."))
        self.status = status
        self.code = code or usual[0]
        self.title = title or usual[1]
        self.detail = detail or usual[2]
        self.others: tuple[Refusal, ...] = ()
        self.source: dict[str, str] = {}
        if parameter is not None:
            self.source["parameter"] = parameter
        if pointer is not None:
            self.source["pointer"] = pointer
        super().__init__(f"{status} {self.code}: {self.detail}")

    @classmethod
    def of_several(cls, refusals: Sequence[Refusal]) -> Refusal:
        """One answer for several reasons."""
        first, *others = refusals
        first.others = tuple(others)
        return first

    def body(self) -> dict[str, Any]:
        """`{"errors": [...]}` as documented."""
        return {"errors": [each._error() for each in (self, *self.others)]}

    def _error(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "title": self.title, "detail": self.detail}
        if self.source:
            error["source"] = self.source
        url = f"https://developers.telnyx.com/docs/overview/errors/{self.code}"
        return {**error, "meta": {"url": url}}


def not_found(what: str = "The requested resource or URL could not be found.") -> Refusal:
    """404 with Telnyx's code for it."""
    return Refusal(404, what)


def missing(parameter: str) -> Refusal:
    """400: a required parameter was not sent."""
    return Refusal(
        400,
        f"The required parameter '{parameter}' is missing.",
        code="10004",
        title="Missing required parameter",
        parameter=parameter,
    )


def bad_parameter(parameter: str, detail: str, status: int = 400) -> Refusal:
    """400 (or 422): a parameter was sent with a value that is not allowed."""
    return Refusal(status, detail, title="Invalid parameter", parameter=parameter)
