"""The command in a process of its own that starts at once.

Starting Python and importing the SDK costs half a second of CPU, most of what a test of a command would
cost. These processes are forked from one that has imported all of it already (multiprocessing's fork
server); what they run, read and write, and how they end, is the same. Tests of the start itself, and of
kills, use `server_process.spawned`.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any

_PRELOADED = (
    "telnyx_mcp.__main__",
    "telnyx_mcp.front.stream",
    "telnyx_mcp.cli.serve",
    "telnyx_mcp.cli.call",
    "telnyx_mcp.cli.approve",
    "telnyx_mcp.cli.ledger",
    "telnyx_mcp.cli.resolve",
    "telnyx_mcp.server.build",
    "telnyx_mcp.server.stdio",
    "telnyx_mcp.server.http",
    "telnyx_mcp.storage.store",
    "telnyx_mcp.sandbox",
    "rich.table",
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__, *_PRELOADED])


def _run(
    streams: Sequence[Any],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
) -> None:
    """The command, in the forked process."""
    os.setsid()
    for number, stream in enumerate(streams):
        given = stream.detach()
        os.dup2(given, number)
        os.close(given)
    sys.stdin, sys.stdout, sys.stderr = (
        _text(0, "r"),
        _text(1, "w"),
        _text(2, "w", errors="backslashreplace"),
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["telnyx-account-mcp", *arguments]
    from telnyx_mcp.__main__ import main

    raise SystemExit(main())


def _text(descriptor: int, mode: str, errors: str = "strict") -> IO[str]:
    return io.open(  # noqa: UP020 - `open` of a descriptor that outlives the object
        descriptor, mode, encoding="utf-8", errors=errors, buffering=1, closefd=False
    )


class ForkedCommand:
    """A command that runs on these three streams, with the methods of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        streams: tuple[int, int, int],
        environment: Mapping[str, str],
        folder: str | None = None,
    ) -> None:
        self._process = _context.Process(
            target=_run,
            args=(
                [_Descriptor(each) for each in streams],
                arguments,
                dict(environment),
                folder or str(Path.cwd()),
            ),
        )
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    @property
    def sentinel(self) -> int:
        """A descriptor that can be read once the process has ended."""
        return self._process.sentinel

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired("telnyx-account-mcp", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Descriptor:
    """An open file that is handed to the forked process, where it is a `DupFd`."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _as_it_is, (reduction.DupFd(self._number),)


def _as_it_is(stream: Any) -> Any:
    return stream


class ForkedProcess(asyncio.subprocess.Process):
    """The same with pipes, for asyncio."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader

    def __init__(self, command: ForkedCommand) -> None:
        self._command = command
        self.pid = command.pid

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: str | None = None,
        limit: int = 2**16,
    ) -> ForkedProcess:
        (their_in, own_in), (own_out, their_out), (own_err, their_err) = (os.pipe() for _ in "123")
        try:
            command = await asyncio.to_thread(
                ForkedCommand, arguments, (their_in, their_out, their_err), environment, folder
            )
        finally:
            for each in (their_in, their_out, their_err):
                os.close(each)
        process = cls(command)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(own_in, "wb", 0)
        )
        process.stdin = asyncio.StreamWriter(transport, protocol, None, loop)
        process.stdout = await _reader(own_out, limit)
        process.stderr = await _reader(own_err, limit)
        return process

    @property
    def returncode(self) -> int | None:
        return self._command.poll()

    def send_signal(self, number: int) -> None:
        self._command.send_signal(number)

    def terminate(self) -> None:
        self._command.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._command.kill()

    async def wait(self) -> int:
        while (status := self._command.poll()) is None:
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(self._command.sentinel, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._command.sentinel)
        return status

    async def communicate(self, input: object = None) -> tuple[bytes, bytes]:
        """What is left on stdout and stderr, once stdin was closed and the process has ended."""
        assert input is None
        self.stdin.close()
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err


async def _reader(descriptor: int, limit: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=limit)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader
