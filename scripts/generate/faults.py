"""`docs/faults.md`: every fault that the tests try, and what came of it. Written from the tests themselves.

`python -m scripts.generate.faults` (`make docs`) writes the page; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.fault_matrix import ROWS, SUBJECTS
from tests.support.marked_tests import ROOT, marked

PAGE = ROOT / "docs" / "faults.md"
HEAD = """\
<!-- Written by `make docs` from the tests; a test compares. -->

# What happens when something goes wrong

Every row is tried over real sockets, against the sandbox, whenever the tests run
(`tests/approval/test_fault_matrix.py`). *Sent* counts the requests that reached Telnyx. *Done* says
whether Telnyx really made the change: the server can't see that where the ledger says `unknown`,
and so never sends it again.
"""
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

| what goes wrong | what held | test |
| --- | --- | --- |
"""


def page() -> str:
    """The tables as Markdown."""
    lines = [HEAD]
    for subject in SUBJECTS:
        lines += [f"## {subject.title}", ""]
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
        lines.append("")
    return "\n".join(lines) + CAMPAIGN + "".join(each.row for each in marked("fault"))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
