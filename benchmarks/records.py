"""How much memory it takes to sum up many detail records: no more than to sum up few."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from benchmarks.measurement import Figure, Goal, Measurement, Unavailable
from benchmarks.peers import LEFT_OUT
from benchmarks.servers.telnyx_stub import COST_ON_AVERAGE, DAY_AFTER, RECORDS_DAY
from benchmarks.stand_ins import running_stub
from benchmarks.subjects import ours, state_url
from benchmarks.wire import Session

FEW, MANY = 2_000, 200_000
TOOL = "telnyx_summarize_usage"
ASKED = {
    "product": "messaging",
    "start_date": RECORDS_DAY,
    "end_date": DAY_AFTER,
    "group_by": ["from", "profile"],
}
ANSWER_SECONDS = 60.0


def measure() -> list[Measurement]:
    """The peak of the server that sums up the many, against summing up the few, in MiB."""
    if not Path("/proc/self/status").exists():
        LEFT_OUT["memory of many records"] = Unavailable("only Linux tells the peak of a process")
        return []
    few, many = (_peak_after(each) for each in (FEW, MANY))
    return [
        Measurement(
            f"{MANY:,} records, peak",
            Figure("ours", many, "MiB"),
            Figure(f"{FEW:,} records", few, "MiB"),
            Goal(1.3),
        )
    ]


def _peak_after(records: int) -> float:
    """The peak of a server that was asked once. Raises `RuntimeError` if it missed any record."""
    with running_stub("--records", str(records)) as base_url, state_url() as state:
        subject = ours(base_url, TELNYX_MCP_STATE_URL=state)
        with Session(subject, ANSWER_SECONDS) as session:
            session.open()
            result = session.call(TOOL, **ASKED)["structuredContent"]
            told = result["all"]
            if (told["records"], Decimal(told["cost"])) != (records, records * COST_ON_AVERAGE):
                raise RuntimeError(f"of {records:,} records it told {told}: {result.get('note')}")
            return _peak(session.pid)


def _peak(pid: int) -> float:
    """The most that was ever resident, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kibibytes = next(
        int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")
    )
    return kibibytes / 1024
