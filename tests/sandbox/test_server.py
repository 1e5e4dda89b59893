"""Starting and stopping."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox, run_sandbox, running_sandbox
from tests.support.polling import wait_until


def test_it_answers_when_it_is_yielded_and_no_longer_afterwards() -> None:
    """On a port of its own, stopped within a bounded time."""
    with running_sandbox() as sandbox:
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        assert sandbox.base_url.endswith("/v2")
        headers = {"authorization": f"Bearer {sandbox.key}"}
        url = f"{sandbox.base_url}/balance"
        assert httpx.get(url, headers=headers, verify=False, trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, headers=headers, verify=False, trust_env=False)


def test_it_stops_though_an_answer_is_under_way() -> None:
    """A slow answer doesn't hold it up."""
    with running_sandbox() as sandbox:
        sandbox.fault("get_balance", "slow", seconds=60)
        address = sandbox.base_url.split("/")[2].split(":")
        with socket.create_connection((address[0], int(address[1]))) as connection:
            head = f"GET /v2/balance HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {sandbox.key}"
            connection.sendall(f"{head}\r\n\r\n".encode())
            wait_until(lambda: sandbox.requests)
            began = time.perf_counter()
            sandbox_left = sandbox
    assert time.perf_counter() - began < 4
    assert sandbox_left.requests[0].status is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", ""])
def test_it_listens_on_loopback_only(host: str) -> None:
    """Whatever is asked for."""
    with pytest.raises(ValueError, match="loopback"):
        run_sandbox(host, 0)


def test_a_port_that_is_taken_is_an_oserror() -> None:
    """For the command line to tell."""
    with running_sandbox() as sandbox:
        port = int(sandbox.base_url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            run_sandbox(port=port)


def test_its_port_and_keys_can_be_chosen() -> None:
    """For a configuration written beforehand."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_sandbox(port=port, key="KEY_MINE", seed=3) as sandbox:
        assert sandbox.base_url == f"http://127.0.0.1:{port}/v2"
        headers = {"authorization": "Bearer KEY_MINE"}
        url = f"{sandbox.base_url}/balance"
        assert httpx.get(url, headers=headers, verify=False, trust_env=False).status_code == 200


PROGRAM = """
import sys
from tests.support.polling import wait_until
from telnyx_mcp.sandbox import run_sandbox
run_sandbox(port=0, on_ready=lambda sandbox: print(sandbox.base_url, file=sys.stderr, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(number: signal.Signals) -> None:
    """Exit status 0, nothing on stdout, no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("http://127.0.0.1:")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, stderr) == (0, "", "")


def test_the_command_serves_an_account_of_any_size_as_slowly_as_asked() -> None:
    arguments = ["--port", "0", "--today", "2026-06-17"]
    arguments += ["--records-per-month", "10000000", "--latency", "60ms"]
    process = subprocess.Popen(
        [sys.executable, "-m", "telnyx_mcp", "sandbox", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            base_url, key = re.findall(r"=(\S+)", process.stdout.readline())
            answer = httpx.get(
                f"{base_url}/detail_records",
                params={"filter[record_type]": "messaging", "filter[date_range]": "last_month"},
                headers={"authorization": f"Bearer {key}"},
                trust_env=False,
            )
        finally:
            process.kill()
    assert answer.elapsed >= timedelta(milliseconds=59)
    assert answer.json()["meta"]["total_results"] > 4_000_000


def test_the_public_names_are_these() -> None:
    """Nothing else is promised."""
    import telnyx_mcp.sandbox as package

    assert set(package.__all__) == {
        "NO_PERMISSIONS_KEY",
        "SANDBOX_KEY",
        "Sandbox",
        "SandboxOptions",
        "SeenRequest",
        "run_sandbox",
        "running_sandbox",
    }
    assert Sandbox().key == package.SANDBOX_KEY == "KEY_SANDBOX"
