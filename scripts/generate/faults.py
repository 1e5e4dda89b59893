"""`docs/faults.md`: every fault that the tests try, and what came of it. Written from the tests themselves.

`python -m scripts.generate.faults` (`make docs`) writes the page; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from telnyx_mcp.approval.change import State
from tests.support.fault_matrix import PAYMENT, ROWS, SUBJECTS, Row
from tests.support.marked_tests import ROOT, marked

PAGE = ROOT / "docs" / "faults.md"
HEAD = """\
<!-- Written by `make docs` from the tests; a test compares. -->

# What happens when something goes wrong

A payment, in short. Every case is made of rows that are tried over real sockets, against the sandbox,
whenever the tests run (`tests/approval/test_fault_matrix.py`).

"""
RULE = """
Nobody here can see whether an `unknown` payment was made: so it is never sent again, counts against the caps,
and blocks other payments until you settle it on the page or with `telnyx-account-mcp resolve ID`. A
change of auto-recharge ends the same way, but blocks no payment.
"""
ABOUT_TABLES = """\
*Sent* counts the requests that reached Telnyx. *Done* says whether Telnyx really made the change.
"""
CASES: tuple[tuple[str, str], ...] = (
    (
        "no connection to Telnyx: refused, no such name, TLS, too late, no connection free",
        r"connection refused|the name|TLS|no connection",
    ),
    ("the connection breaks after the request left", r"the connection is (closed|reset)"),
    ("no answer in time, or too slow an answer", r"no answer in time|an answer too slow|HTTP 408"),
    ("an answer cut off, or empty", r"an answer cut off|200 with half|200 without a body|204"),
    ("a 200 that is something else: other JSON, HTML, 16 MB", r"200 with (JSON|a page|more)"),
    ("a 200 with values that nobody has heard of", r"200 with values"),
    ("a redirect", r"302"),
    ("Telnyx says no: 400, 401, 403, 404, 422", r"HTTP (400|401|403|404|422)"),
    ("Telnyx says: too many requests", r"HTTP 429 with Telnyx"),
    ("a proxy says: too many requests", r"HTTP 429 with a proxy"),
    ("a conflict: 409", r"HTTP 409"),
    ("Telnyx or a proxy fails: 500, 502, 503, 504", r"HTTP 50\d"),
)
"""The dozen cases, each with the rows it stands for. A test holds every row to one case."""
NEXT = {
    State.NOT_SENT: "Nothing was paid. Ask again: you are asked again.",
    State.REFUSED: "Nothing was paid. Ask again when the reason is gone: you are asked again.",
    State.SUCCEEDED: "Paid, once.",
    State.UNKNOWN: "Perhaps paid, at most once. Look in the portal, then settle it.",
}

COLUMNS = (
    "what goes wrong",
    "sent",
    "done",
    "ledger",
    "the model gets",
    "the same call again",
    "another payment",
)


CAMPAIGN = """
## Processes, clocks, storage, the database, load

`make test ARGS='-m faults'` tries these with real processes, a PostgreSQL of its own, libfaketime and
proxies that cut, delay or stop forwarding.

<details><summary>All of them</summary>

| what goes wrong | what held | test |
| --- | --- | --- |
"""


def rows_of(pattern: str) -> list[Row]:
    """The rows of a case."""
    return [row for row in ROWS if re.match(pattern, row.fault)]


def _cases() -> Iterator[str]:
    yield _line(("what goes wrong", "ledger", "what it means for you"))
    yield _line("---" for _ in range(3))
    for case, pattern in CASES:
        (state,) = {PAYMENT.ends(row).state for row in rows_of(pattern)}
        yield _line((case, f"`{state}`", NEXT[state]))


def page() -> str:
    """The cases and the tables as Markdown."""
    lines = [HEAD + "\n".join(_cases()), RULE, ABOUT_TABLES]
    for subject in SUBJECTS:
        lines += [f"## {subject.title}", ""]
        lines += [f"<details><summary>All {len(ROWS)} rows</summary>", ""]
        lines += [_line(COLUMNS), _line("---" for _ in COLUMNS)]
        for row in ROWS:
            ends = subject.ends(row)
            lines.append(
                _line(
                    (
                        row.fault,
                        str(ends.requests),
                        "yes" if ends.done else "no",
                        f"`{ends.state}`",
                        f"…{ends.tells}…" if ends.tells != "Done: " else "Done",
                        subject.same_call_next(ends.state),
                        subject.other_payment_next(ends.state),
                    )
                )
            )
        lines += ["", "</details>", ""]
    campaign = "".join(each.row for each in marked("fault"))
    return "\n".join(lines) + CAMPAIGN + campaign + "\n</details>\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
