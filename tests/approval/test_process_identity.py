"""Which process sends a change, and whether it still runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from telnyx_mcp.approval import process_identity
from telnyx_mcp.approval.process_identity import ProcessIdentity, _stat


def test_this_process_lives() -> None:
    me = ProcessIdentity.this_process()
    assert me.is_running(str(me))
    assert me.host.startswith(socket.gethostname())
    assert me.pid == os.getpid()


def test_a_process_that_ended_does_not() -> None:
    code = (
        "from telnyx_mcp.approval.process_identity import ProcessIdentity\n"
        "print(ProcessIdentity.this_process())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()
    assert ProcessIdentity.this_process().is_running(other) is False


def test_one_that_got_the_number_of_a_dead_one_is_not_it() -> None:
    me = ProcessIdentity.this_process()
    if not me.started:
        pytest.skip("this system does not tell when a process was started")
    assert me.is_running(f"{me.host}/{me.pid}/{int(me.started) - 1}") is False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it is not told")
def test_one_that_ended_and_was_not_waited_for_does_not_live() -> None:
    me = ProcessIdentity.this_process()
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        its = f"{me.host}/{child.pid}/{_stat(child.pid)[1]}"
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert me.is_running(its) is False


def test_a_process_without_a_start_time_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by now."""
    me = ProcessIdentity.this_process()
    assert me.is_running(f"{me.host}/{me.pid}/") is None
    monkeypatch.setattr(process_identity, "_stat", lambda _: ("", ""))
    assert me.is_running(f"{me.host}/{me.pid}/1") is None
    assert me.is_running(f"{me.host}/{me.pid}/") is None


@pytest.mark.parametrize(
    "name",
    ["elsewhere/1/1", "", "x", "a/b", "a/b/c", "/1/", "here", "here/", "here/one/1", "here//"],
)
def test_of_one_elsewhere_or_with_an_unreadable_name_nothing_is_known(name: str) -> None:
    assert ProcessIdentity("here", 1, "1").is_running(name) is None


def test_a_number_that_no_process_can_have_fails_nothing() -> None:
    me = ProcessIdentity.this_process()
    assert not me.is_running(f"{me.host}/{10**30}/1")


@pytest.mark.parametrize("host", ["here", "a/b"])
def test_a_host_name_may_hold_anything(host: str) -> None:
    me = ProcessIdentity.this_process()
    assert ProcessIdentity(host, me.pid, me.started).is_running(f"{host}/{me.pid}/{me.started}")


@pytest.mark.parametrize("error", [PermissionError(), OSError()])
def test_of_a_process_that_may_not_be_looked_at_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise error

    monkeypatch.setattr(os, "kill", refuse)
    me = ProcessIdentity.this_process()
    assert me.is_running(str(me)) is None


def test_on_windows_no_process_is_looked_at_as_that_would_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[int] = []
    me = ProcessIdentity.this_process()
    monkeypatch.setattr(os, "kill", lambda pid, _signal: killed.append(pid))
    monkeypatch.setattr(sys, "platform", "win32")
    assert me.is_running(str(me)) is None
    assert killed == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it is not told")
def test_a_process_is_known_by_when_it_was_started_whatever_its_name_is() -> None:
    def uptime() -> float:
        return float(Path("/proc/uptime").read_text("utf-8").split()[0]) * os.sysconf("SC_CLK_TCK")

    odd = "print(open('/proc/self/comm', 'wb').write(b') \\xff ('), flush=True); input()"
    before = uptime()
    command = [sys.executable, "-c", odd]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        state, started = _stat(child.pid)
        assert state in {"R", "S", "D"}
        assert before - 2 <= int(started) <= uptime() + 2
        child.communicate(b"\n")


def test_where_the_system_tells_nothing_of_processes_the_machine_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    me = ProcessIdentity.this_process()
    if sys.platform.startswith("linux"):
        assert me.host == f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"

    def refuse(*_: object, **_more: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "readlink", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    me = ProcessIdentity.this_process()
    assert (me.host, me.started) == (socket.gethostname(), "")
    assert me.is_running(str(me)) is None
