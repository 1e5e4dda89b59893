"""`make service-demo` shows a payment that two people make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.identity_provider import provider_missing

ROOT = Path(__file__).parents[2]
SECONDS = 180

pytestmark = pytest.mark.interop


def test_the_demo_of_the_service_ends_with_a_payment_that_a_second_person_approved() -> None:
    if missing := provider_missing():
        pytest.skip(missing)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.service_demo", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answered: succeeded, decided by Bob Brown" in done.stdout
    assert done.stderr == ""
