"""The whole bill of a large account, under Telnyx's own limits, with answers that take 150 ms."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measurement import Figure, Goal, Measurement
from benchmarks.stand_ins import LimitedAccount, running_sandbox
from benchmarks.subjects import environment, ours, state_url
from benchmarks.wire import Session
from telnyx_mcp.tools.framework.tokens import about_tokens

RECORDS = 10_000_000
LARGE = ("--records-per-month", str(RECORDS), "--latency", "150ms")
ANSWER_SECONDS = 60.0
SPEND, USAGE = "telnyx_summarize_spend", "telnyx_summarize_usage"
PAGES_A_MINUTE = 40


def measure() -> list[Measurement]:
    """Seconds, requests and tokens of one question; the rows of an export a minute."""
    with running_sandbox(*LARGE) as account, state_url() as state:
        subject = ours(account.base_url, TELNYX_API_KEY=account.key, TELNYX_MCP_STATE_URL=state)
        with Session(subject, ANSWER_SECONDS) as session:
            session.open()
            return [
                *_spend(session, account),
                _asked("compared, requests", session, account, 70, compare_to="previous"),
                _by_day(session, account),
                _export(account),
            ]


def _spend(session: Session, account: LimitedAccount) -> list[Measurement]:
    before, began = len(account.requests()), time.monotonic()
    result = session.call(SPEND, period="last month")
    seconds = time.monotonic() - began
    spent = result["structuredContent"]["spent"][0]
    if "charged" not in spent or "incomplete" in result["structuredContent"]:
        raise RuntimeError(f"not whole: {result['structuredContent']}")
    what = "10,000,000 records"
    text = result["content"][0]["text"]
    requests = len(account.requests()) - before
    return [
        Measurement(f"{what}, whole", Figure("ours", seconds, "s"), goal=Goal(12)),
        Measurement(f"{what}, requests", Figure("ours", requests, ""), goal=Goal(35)),
        Measurement(f"{what}, tokens", Figure("ours", about_tokens(text), ""), goal=Goal(600)),
    ]


def _asked(
    what: str, session: Session, account: LimitedAccount, most: int, **more: Any
) -> Measurement:
    before = len(account.requests())
    content = session.call(SPEND, period="last month", **more)["structuredContent"]
    if "charged" not in content["compared"]["differences"][0]:
        raise RuntimeError(f"not whole: {content}")
    return Measurement(what, Figure("ours", len(account.requests()) - before, ""), goal=Goal(most))


def _by_day(session: Session, account: LimitedAccount) -> Measurement:
    before = len(account.requests())
    asked = {"product": "messaging", "period": "last month", "group_by": ["day"]}
    content = session.call(USAGE, **asked)["structuredContent"]
    if "part" in content["all"] or content["all"]["count"] < RECORDS / 4:
        raise RuntimeError(f"not whole: {content['all']}")
    requests = len(account.requests()) - before
    return Measurement("messages by day, requests", Figure("ours", requests, ""), goal=Goal(2))


def _export(account: LimitedAccount) -> Measurement:
    """The rows that an export gets in a whole minute, against those that Telnyx allows: the export is
    ended after two."""
    with TemporaryDirectory(prefix="bench-") as folder:
        command = (
            *(
                sys.executable,
                "-m",
                "telnyx_mcp",
                "export",
                "detail-records",
                "--type",
                "messaging",
            ),
            *("--period", "last month", "--to", str(Path(folder) / "rows.csv")),
        )
        told = environment(
            account.base_url,
            TELNYX_API_KEY=account.key,
            TELNYX_MCP_STATE_URL=f"sqlite:///{folder}/state.sqlite3",
        )
        time.sleep(60 - time.time() % 60)  # a minute of the limit begins
        with subprocess.Popen(command, env=told, stderr=subprocess.DEVNULL) as process:
            began = time.time()
            time.sleep(121)
            process.terminate()
    minutes = Counter(
        int(each["time"] // 60)
        for each in account.requests()
        if each["operation"] == "search_detail_records" and each["status"] == 200
    )
    second = minutes[int(began // 60) + 1]
    rows = Figure("ours", second * 50, "rows/min")
    allowed = Figure("Telnyx allows", PAGES_A_MINUTE * 50, "rows/min")
    return Measurement("an export", rows, allowed, Goal(0.98, at_least=True))
