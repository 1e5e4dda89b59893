"""The command line, run in the process of the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]
"""What the fixture `run` is: takes the arguments, and more of the environment by name."""
