"""The signals that end the program in order."""

from __future__ import annotations

import signal
import sys


def stopping_signals() -> tuple[signal.Signals, ...]:
    """SIGTERM, SIGINT and SIGHUP; not SIGHUP if it is ignored (`nohup`), none on Windows."""
    if sys.platform == "win32":
        return ()
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGTERM, signal.SIGINT, *hang_up)
