"""Journal: every event, on disk before the host is touched. SQLite in WAL mode with `synchronous=FULL`, one owner at a time.

The file is on the controller, outside everything that is ever restored. Reading needs no ownership.
"""

import fcntl
import json
import os
import pwd
import secrets
import socket
import sqlite3
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nornir_upgrade.core.transport.host import quote

from . import codec
from .errors import DiskFull, InvalidInput, JournalLocked, UnknownName
from .journal_schema import EVENTS, HEADS, RUNS, SEALED_FIELDS, SNAPSHOTS, check, check_run, damaged, prepare, seal
from .plan import Plan
from .redaction import masked
from .run import Event, Run, What
from .step import Step

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
_FLOCK = "hhqqi0q"  # struct flock (fcntl(2)): type, whence, start, length, process
_NEW_HEAD = HEADS.insert().prefix_with("OR REPLACE")


def now() -> str:
    """The present moment as events carry it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """A unique identifier that sorts by time and may be part of a file name or a job's name."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Journal:
    """Runs, events and snapshots in one SQLite file. Thread-safe. Use `owned` to write, `Journal(path)` to read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise _unusable(path, error.strerror) from None
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=sa.pool.StaticPool,
            connect_args={"check_same_thread": False},
        )
        sa.event.listen(self._engine, "connect", _make_durable)
        with self._refusing_damage():
            self._connection = self._engine.connect()
        self._prepare()
        self.watchers: list[Callable[[Event], None]] = []
        self.author = ""

    def _prepare(self) -> None:
        with self._transaction():
            prepare(self._connection, self.path)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction of one thread. Raises as `_refusing_damage`."""
        with self._lock, self._durably():
            yield

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """Afterwards, what the block wrote is on disk. Raises as `_refusing_damage`."""
        with self._refusing_damage(), self._connection.begin():
            yield

    @contextmanager
    def _refusing_damage(self) -> Iterator[None]:
        """Turns errors of SQLite into `InvalidInput` (the file is damaged, or no journal) and `DiskFull`."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) in _FULL:
                raise DiskFull(
                    f"{self.path}: no space left on the disk",
                    hint="make room there, then continue: everything written so far is whole",
                ) from None
            raise _unusable(self.path, error.orig) from None
        except UnicodeDecodeError as error:  # raised by sqlite3 if a message of SQLite quotes bytes that are no text
            raise _unusable(self.path, error.object.decode("utf-8", "backslashreplace")) from None

    def require_whole(self) -> None:
        """Raises `InvalidInput` if the file is damaged. Seals cannot detect rows that SQLite no longer finds."""
        with self._transaction():
            verdict = self._connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if verdict != "ok":
            raise _unusable(self.path, verdict)

    def close(self) -> None:
        """Afterwards the file is closed."""
        self._connection.close()
        self._engine.dispose()

    # ------------------------------------------------------------------ runs and events

    def open_run(self, plan: Plan, *, parent: str = "", comment: str = "", snapshot: str = "") -> Run:
        """Afterwards the run, its plan and `snapshot` (the JSON of the snapshot before it) are on disk: all of them or none.

        Returns the run, with its first event.
        """
        run = Run(new_id(), parent, plan, (), _writable(comment))
        with self._transaction():
            row = {"id": run.id, "parent": parent, "comment": run.comment, "plan": codec.dumps(plan)}
            self._connection.execute(RUNS.insert(), row | {"seal": seal("", row.values())})
            if snapshot:
                self._insert_snapshot(snapshot, run.id, "")
        self.append(run.id, "run_opened", text=f"{plan.direction} {plan.origin}")
        if self.author:
            self.append(run.id, "run_by", text=self.author)
        return self.run(run.id)

    def consent(self, run: str, hosts: Iterable[str]) -> None:
        """Afterwards the journal holds the consent to change `hosts` in `run` without a whole way back."""
        for host in hosts:
            self.append(run, "consent_given", host=host)

    def append(self, run: str, what: What, **fields: Any) -> Event:
        """Afterwards the event is on disk (F08); then the watchers are called. `fields` are those of `Event`."""
        fields |= {name: _writable(fields[name]) for name in ("text", "error") if name in fields}
        event = Event(0, now(), run, what, **fields)
        row = {name: getattr(event, name) for name in ("at", "run", "what", "wave", "host", "index", "text", "error")}
        row["before"] = codec.dumps(event.before) if event.before is not None else ""
        with self._lock:
            with self._durably():
                head = self._last.get(run) or self._head(run)
                row["seal"] = seal(head, [row[name] for name in SEALED_FIELDS])
                inserted = self._connection.execute(EVENTS.insert(), row)
                self._connection.execute(_NEW_HEAD, {"run": run, "seal": row["seal"]})
            self._last[run] = row["seal"]
            (seq,) = inserted.inserted_primary_key or (0,)
            event = Event(seq, event.at, run, what, **fields)
            for watch in self.watchers:
                watch(event)
        return event

    def _head(self, run: str) -> str:
        """The seal of the run's last event, or of the run itself if it has none yet."""
        last = self._connection.execute(sa.select(HEADS.c.seal).where(HEADS.c.run == run)).scalar()
        return last or self._connection.execute(sa.select(RUNS.c.seal).where(RUNS.c.id == run)).scalar() or ""

    def run(self, name: str) -> Run:
        """The run called `name`: an id, an unambiguous beginning of one, `last`, or `last-N`.

        Raises `UnknownName`, and `DigestMismatch` if a row is not what was written.
        """
        with self._transaction():
            ids = self._connection.execute(sa.select(RUNS.c.id).order_by(RUNS.c.number)).scalars().all()
            run_id = pick("run", name, list(ids))
            head = self._head(run_id)  # read before the events: the owner of the journal may append more meanwhile
            row = self._connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).one_or_none()
            events = sa.select(EVENTS).where(EVENTS.c.run == run_id).order_by(EVENTS.c.seq)
            rows = self._connection.execute(events).all()
        if row is None:
            raise damaged(f"run {run_id}")
        check_run(row, rows, head)
        plan = codec.loads(row.plan, Plan, source=f"run {run_id}")
        return Run(run_id, row.parent, plan, tuple(_event(row) for row in rows), row.comment)

    def runs(self) -> tuple[Run, ...]:
        """All runs, oldest first."""
        with self._transaction():
            ids = self._connection.execute(sa.select(RUNS.c.id).order_by(RUNS.c.number)).scalars().all()
        return tuple(self.run(run_id) for run_id in ids)

    # ------------------------------------------------------------------ snapshots

    def keep_snapshot(self, document: str, *, run: str = "", label: str = "") -> str:
        """Stores the JSON of a snapshot; returns its id. `run`: the run before which it was taken."""
        with self._transaction():
            return self._insert_snapshot(document, run, label)

    def _insert_snapshot(self, document: str, run: str, label: str) -> str:
        snapshot_id = new_id()
        row = {"id": snapshot_id, "run": run, "label": _writable(label), "document": document}
        self._connection.execute(SNAPSHOTS.insert(), row | {"seal": seal("", row.values())})
        return snapshot_id

    def snapshot_rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Each snapshot as `snapshot_row` returns it, oldest first. Read one at a time: a thousand hosts make some 130 MB."""
        with self._transaction():
            ids = self._connection.execute(sa.select(SNAPSHOTS.c.id).order_by(SNAPSHOTS.c.number)).scalars().all()
        return map(self.snapshot_row, ids)

    def snapshot_row(self, snapshot_id: str) -> tuple[str, str, str, str]:
        """(id, run, label, document) of a snapshot. Raises `DigestMismatch` if it is not what was written."""
        with self._transaction():
            row = self._connection.execute(sa.select(SNAPSHOTS).where(SNAPSHOTS.c.id == snapshot_id)).one_or_none()
        if row is None:
            raise damaged(f"snapshot {snapshot_id}")
        fields = (row.id, row.run, row.label, row.document)
        check(f"snapshot {row.id}", "", fields, row.seal)
        return fields


def _unusable(path: Path, reason: object) -> InvalidInput:
    return InvalidInput(
        f"the journal {path} is damaged or cannot be used: {reason}",
        hint="repair the disk, or replace the state directory with a copy of it",
    )


def _writable(text: str) -> str:
    """`text` with bytes that are not UTF-8 written as escapes: output of hosts and arguments of users may hold such bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def pick(kind: str, name: str, ids: list[str]) -> str:
    """The id in `ids` (oldest first) that `name` means: itself, an unambiguous beginning, `last`, or `last-N`. Raises `UnknownName`."""
    if name == "last" or name.startswith("last-"):
        back = name.removeprefix("last").removeprefix("-") or "0"
        if back.isdigit() and int(back) < len(ids):
            return ids[-1 - int(back)]
    matching = [name] if name in ids else [one for one in ids if name and one.startswith(name)]
    if len(matching) != 1:
        raise UnknownName(kind, name, ids)
    return matching[0]


@contextmanager
def owned(path: Path, command: str) -> Iterator[Journal]:
    """The journal, owned by this process until the block ends. Raises `JournalLocked`, naming the owner.

    The kernel holds the lock (fcntl) and releases it when the owner dies: it is never stale. The lock file only names the owner.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalLocked(
                f"another controller is at work: {_owner(handle)}", hint="wait for it to end, or interrupt it there"
            ) from None
        os.ftruncate(handle, 0)
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": now()}
        os.pwrite(handle, json.dumps(owner).encode(), 0)
        journal = Journal(path)
        journal.author = author(sys.argv)
        try:
            journal.require_whole()
            yield journal
        finally:
            journal.close()
    finally:
        os.close(handle)


def at_work(path: Path) -> str:
    """The other process that owns the journal at `path`, in words; '' if none does. Takes no lock, and so delays no run.

    The owner itself must not call this: a process that closes a file releases its locks on it (fcntl(2)).
    """
    try:
        handle = os.open(path.with_suffix(".lock"), os.O_RDONLY)
    except FileNotFoundError:
        return ""
    try:
        asked = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return "" if struct.unpack(_FLOCK, asked)[0] == fcntl.F_UNLCK else _owner(handle)
    finally:
        os.close(handle)


def author(argv: Sequence[str]) -> str:
    """The user of this process, its host and its command, with passwords masked. Under sudo, the user who called sudo."""
    user = os.environ.get("SUDO_USER") or _user()
    as_root = f" (as {_user()})" if user != _user() else ""
    command = masked(quote([Path(argv[0]).name, *argv[1:]])) if argv else ""
    return f"{user}{as_root} on {socket.gethostname()}: {command}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _owner(handle: int) -> str:
    with suppress(ValueError, KeyError):
        owner = json.loads(os.pread(handle, 4096, 0))
        return f"{owner['command']!r}, process {owner['pid']} on {owner['host']}, since {owner['since']}"
    return "its lock file does not name it"


def _make_durable(connection: Any, _record: object) -> None:
    """In WAL mode, synchronous=FULL syncs at every commit (sqlite.org/pragma.html#pragma_synchronous)."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _event(row: Any) -> Event:
    fields = {name: getattr(row, name) for name in ("seq", "at", "run", "what", "wave", "host", "text", "error")}
    before = codec.loads(row.before, Step, source=f"event {row.seq}") if row.before else None  # type: ignore[type-abstract]
    return Event(**fields, index=row._mapping["index"], before=before)
