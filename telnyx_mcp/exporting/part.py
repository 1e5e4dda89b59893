"""The file of an export that is not finished, `may.csv.part`, and its journal, `may.csv.part.json`.

A page is on the disk before the journal counts it, and the journal is replaced at once. What a kill
leaves in the part beyond the journal's length is cut off when the export is resumed, so that no row
is lost or written twice.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from telnyx_mcp.exporting.failure import ExportFailure
from telnyx_mcp.exporting.question import Question


class Journal(BaseModel):
    """How far an export is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Question
    until: str
    """Where it ends, fixed when it was started."""
    time_field: str = ""
    columns: list[str] = []
    next_page: int = 1
    rows: int = 0
    bytes: int = 0
    """The length of the part with these rows."""
    total: int | None = None
    """How many records there are, as Telnyx last stated."""
    last_rows: list[str] = []
    """Marks of the rows of the page before `next_page`."""
    finished: bool = False
    """Whether only the move to its place is left."""


def part_of(target: Path) -> Path:
    """Where rows are written until the export is finished."""
    return target.with_name(f"{target.name}.part")


def journal_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def read_journal(target: Path) -> Journal | None:
    """The journal of an export that was started; None if there is none. Raises `ExportFailure`."""
    path = journal_of(target)
    try:
        return Journal.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise ExportFailure(
            f"{path} is not the journal of an export, or of another version. Add --restart to start "
            "over."
        ) from None


def open_file(path: Path) -> BinaryIO:
    """The part for writing, as it is, readable by its owner only. A link is not followed."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "r+b")


class Part:
    """A part that this process alone writes to. Raises `ExportFailure` if the disk refuses a write."""

    def __init__(self, target: Path, start: Journal, *, restart: bool = False) -> None:
        """Resumes the part, which must answer the same question as `start`; begins with `start` if there is
        none, or with `restart`."""
        self.target = target
        self._path = part_of(target)
        try:
            self._file = open_file(self._path)
        except OSError as error:
            raise self._cannot(error) from None
        try:
            _lock(self._file, self._path)
            self.journal = self._go_on(start, restart)
            self._file.truncate(self.journal.bytes)
            self._file.seek(self.journal.bytes)
        except OSError as error:
            self._file.close()
            raise self._cannot(error) from None
        except ExportFailure:
            self._file.close()
            raise

    def _go_on(self, start: Journal, restart: bool) -> Journal:
        if restart:
            self._file.truncate(0)
            journal_of(self.target).unlink(missing_ok=True)
        journal = read_journal(self.target)
        size = os.fstat(self._file.fileno()).st_size
        if journal is None:
            if size:
                raise ExportFailure(
                    f"{self._path} exists and has no journal: it is not an export that can be "
                    "resumed. Remove it, or add --restart to overwrite it."
                )
            return start
        if journal.question != start.question:
            raise ExportFailure(_different(self._path, journal.question, start.question))
        if size < journal.bytes:
            raise ExportFailure(
                f"{self._path} is shorter than its journal says, so rows are missing. Add --restart "
                "to start over."
            )
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # what could not be written is beyond the journal's length
            self._file.close()
        with suppress(OSError):
            if not journal_of(self.target).exists() and self._path.stat().st_size == 0:
                self._path.unlink()

    def append(self, content: bytes, **progress: Any) -> None:
        """Writes a page, then updates the journal with `progress`."""
        try:
            self._file.write(content)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._save(bytes=self.journal.bytes + len(content), **progress)
        except OSError as error:
            raise self._cannot(error) from None

    def finish(self, *, force: bool) -> None:
        """Moves the part to its place. Nothing may be there unless `force`."""
        try:
            self._save(finished=True)
            self._file.close()
            _move(self._path, self.target, force)
            _sync_folder(self.target)
            journal_of(self.target).unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot(error) from None

    def _save(self, **progress: Any) -> None:
        journal = self.journal.model_copy(update=progress)
        path = journal_of(self.target)
        draft = path.with_name(f"{path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(journal.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path)
        self.journal = journal

    def _cannot(self, error: OSError) -> ExportFailure:
        why = error.strerror or type(error).__name__
        return ExportFailure(f"{self._path} can't be written: {why}.")


def refuse_taken(target: Path, *, force: bool) -> None:
    """Raises `ExportFailure` if the finished file could not be moved to its place."""
    if os.path.lexists(target) and not force and not _is_moved(target):
        raise _taken(target)


def finished_before(target: Path, question: Question) -> Journal | None:
    """The journal of an export of this question whose file was moved to its place just before the process
    ended, so that the journal was left behind. Removes that journal."""
    with suppress(ExportFailure):
        journal = read_journal(target)
        if journal and journal.finished and not part_of(target).exists():
            journal_of(target).unlink(missing_ok=True)
            if journal.question == question and target.exists():
                return journal
    return None


def _taken(target: Path) -> ExportFailure:
    return ExportFailure(f"{target} exists. Add --force to replace it.")


def _is_moved(target: Path) -> bool:
    """Whether the target is the part itself, under its second name."""
    try:
        return part_of(target).samefile(target)
    except OSError:
        return False


def _move(part: Path, target: Path, force: bool) -> None:
    if force:
        part.replace(target)
        return
    try:
        target.hardlink_to(part)  # fails where the name is taken, a rename would not
    except FileExistsError:
        if not _is_moved(target):
            raise _taken(target) from None
    except (OSError, NotImplementedError):  # a file system without links
        if os.path.lexists(target):
            raise _taken(target) from None
        part.rename(target)
        return
    part.unlink()


def _different(path: Path, started: Question, requested: Question) -> str:
    account = ""
    if started.account != requested.account:
        account = " Its account or API key is different, too."
    return (
        f"{path} belongs to another export: {started}. Asked for now: {requested}.{account} Ask the same "
        "again to resume it, choose another file, or add --restart to start over."
    )


def _sync_folder(path: Path) -> None:
    if sys.platform == "win32":  # folders can't be opened there
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _lock(file: BinaryIO, path: Path) -> None:
    """Raises `ExportFailure` if another process writes to the file. Held until it is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**31 - 2)  # a byte beyond the end may be locked, too
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise ExportFailure(
            f"Another process is writing {path}: wait for it, or stop it."
        ) from None
