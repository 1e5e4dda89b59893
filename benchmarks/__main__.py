"""`python -m benchmarks [NAME …]`: measures, and shows each figure beside its goal.

The status is 1 only if something could not be run: a goal that is missed is shown, not failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks import balance, memory, start, tokens
from benchmarks.measurement import Measurement
from benchmarks.peers import LEFT_OUT, PLACE, tell
from benchmarks.table import table

MEASUREMENTS: dict[str, Callable[[], list[Measurement]]] = {
    "start": start.measure,
    "memory": memory.measure,
    "balance": balance.measure,
    "tokens": tokens.measure,
}


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    if unknown := set(options.names) - set(MEASUREMENTS):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    rows: list[Measurement] = []
    failed = []
    for name in options.names or MEASUREMENTS:
        tell(f"measuring {name} ...")
        try:
            rows += MEASUREMENTS[name]()
        except (OSError, RuntimeError, ValueError) as error:
            failed.append(f"{name} could not be run: {error}")
    machine = (
        f"Python {platform.python_version()}, mcp {version('mcp')}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} processors"
    )
    left_out = [f"{name} left out: {reason}" for name, reason in LEFT_OUT.items()]
    print(f"{machine}\n\n{table(rows)}")
    for line in (*left_out, *failed):
        print(f"\n{line}")
    report = {"machine": machine, "rows": [row.as_json() for row in rows]}
    report |= {"left_out": left_out, "failed": failed}
    options.json.write_text(
        json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures the server against others, in one run."
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help=f"one of {', '.join(MEASUREMENTS)}; all if none"
    )
    parser.add_argument(
        "--json", metavar="PATH", type=Path, default=PLACE / "bench.json", help="where else it goes"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
