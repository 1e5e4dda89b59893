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

from benchmarks import balance, memory, overhead, pace, service, spend, start, tokens, walking
from benchmarks.measurement import Measurement
from benchmarks.peers import LEFT_OUT, PLACE, tell
from benchmarks.table import around, markdown, table

MEASUREMENTS: dict[str, Callable[[], list[Measurement]]] = {
    "start": start.measure,
    "memory": memory.measure,
    "balance": balance.measure,
    "tokens": tokens.measure,
    "overhead": overhead.measure,
    "pace": pace.measure,
    "walking": walking.measure,
    "spend": spend.measure,
    "service": service.measure,
}


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    if unknown := set(options.names) - set(MEASUREMENTS):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    if options.markdown and options.names:
        parser.error("--markdown goes with all measurements")
    try:
        before, after = around(options.markdown) if options.markdown else ("", "")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    rows: list[Measurement] = []
    failed = []
    for name in options.names or MEASUREMENTS:
        tell(f"measuring {name} ...")
        try:
            rows += MEASUREMENTS[name]()
        except (OSError, RuntimeError, ValueError) as error:
            failed.append(f"{name} could not be run: {error}")
    machine = (
        f"Python {platform.python_version()}, mcp {version('mcp')}, telnyx {version('telnyx')}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
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
    if options.markdown and not failed:
        text = "\n\n".join((f"{machine}.", markdown(rows).rstrip(), *left_out))
        options.markdown.write_text(f"{before}{text}{after}", encoding="utf-8")
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
    parser.add_argument(
        "--markdown", metavar="PATH", type=Path, help="a document to write the table into"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
