"""The journal: every event, durable before the host is touched. SQLite in WAL mode with `synchronous=FULL`, one owner at a time.

It lives on the controller, outside everything that is ever restored. Reading needs no ownership.
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
from .journal_schema import EVENTS, HEADS, RUNS, SEALED_FIELDS, SNAPSHOTS, check_run, prepare
from .plan import Plan
from .redaction import masked
from .run import Event, Run, What
from .seal import check, damaged, seal
from .step import Step

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
_FLOCK = "hhqqi0q"  # struct flock (fcntl(2)): type, whence, start, length, process
_NEW_HEAD = HEADS.insert().prefix_with("OR REPLACE")


def now() -> str:
    """The present moment as events carry it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """An identifier that sorts by time, never comes twice, and is fit for a file name and a job's name."""
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
        with self._whole():
            self._connection = self._engine.connect()
        self._prepare()
        self.watchers: list[Callable[[Event], None]] = []
        self.author = ""

    def _prepare(self) -> None:
        with self._transaction():
            prepare(self._connection, self.path)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One thread, one transaction."""
        with self._lock, self._durably():
            yield

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """What the block writes is on disk when it ends. Raises as `_whole`."""
        with self._whole(), self._connection.begin():
            yield

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Raises `InvalidInput` where what the block asks of the file shows that it is no whole journal, `DiskFull`."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) in _FULL:
                raise DiskFull(
                    f"{self.path}: no space left on the disk",
                    hint="make room there, then go on: what was written is whole",
                ) from None
            raise _unusable(self.path, error.orig) from None
        except UnicodeDecodeError as error:  # sqlite3's, where a message of SQLite quotes bytes that are no text
            raise _unusable(self.path, error.object.decode("utf-8", "backslashreplace")) from None

    def require_whole(self) -> None:
        """Raises `InvalidInput` where the file is damaged; seals do not tell of rows that cannot be found any more."""
        with self._transaction():
            told = self._connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if told != "ok":
            raise _unusable(self.path, told)

    def close(self) -> None:
        """Afterwards the file is closed."""
        self._connection.close()
        self._engine.dispose()

    # ------------------------------------------------------------------ runs and events

    def open_run(self, plan: Plan, *, parent: str = "", comment: str = "", snapshot: str = "") -> Run:
        """Afterwards the run, its plan and the JSON of the snapshot before it are durable, all or none of them.

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
        """Afterwards it is on record that `hosts` go on in `run` without a whole way back."""
        for host in hosts:
            self.append(run, "consent_given", host=host)

    def append(self, run: str, what: What, **fields: Any) -> Event:
        """Afterwards the event is on disk (F08); watchers are told after that. Fields are those of `Event`."""
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
        """The seal of the run's last event, or of the run itself where it has none yet."""
        last = self._connection.execute(sa.select(HEADS.c.seal).where(HEADS.c.run == run)).scalar()
        return last or self._connection.execute(sa.select(RUNS.c.seal).where(RUNS.c.id == run)).scalar() or ""

    def run(self, name: str) -> Run:
        """The run called `name`: an id, an unambiguous beginning of one, `last`, or `last-N`. Raises `UnknownName`.

        Raises `DigestMismatch` where it is not what was written.
        """
        with self._transaction():
            ids = self._connection.execute(sa.select(RUNS.c.id).order_by(RUNS.c.number)).scalars().all()
            found = pick("run", name, list(ids))
            head = self._head(found)  # first: who owns the journal may go on meanwhile
            row = self._connection.execute(sa.select(RUNS).where(RUNS.c.id == found)).one_or_none()
            rows = self._connection.execute(sa.select(EVENTS).where(EVENTS.c.run == found).order_by(EVENTS.c.seq)).all()
        if row is None:
            raise damaged(f"run {found}")
        check_run(row, rows, head)
        plan = codec.loads(row.plan, Plan, source=f"run {found}")
        return Run(found, row.parent, plan, tuple(_event(row) for row in rows), row.comment)

    def runs(self) -> tuple[Run, ...]:
        """All runs, oldest first."""
        with self._transaction():
            ids = self._connection.execute(sa.select(RUNS.c.id).order_by(RUNS.c.number)).scalars().all()
        return tuple(self.run(one) for one in ids)

    # ------------------------------------------------------------------ snapshots

    def keep_snapshot(self, document: str, *, run: str = "", label: str = "") -> str:
        """Keep a snapshot's JSON; returns its id. `run` is the run that it was taken before."""
        with self._transaction():
            return self._insert_snapshot(document, run, label)

    def _insert_snapshot(self, document: str, run: str, label: str) -> str:
        found = new_id()
        row = {"id": found, "run": run, "label": _writable(label), "document": document}
        self._connection.execute(SNAPSHOTS.insert(), row | {"seal": seal("", row.values())})
        return found

    def snapshot_rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Each snapshot as `snapshot_row` gives it, oldest first, one at a time: of a thousand hosts, one is some 130 MB."""
        with self._transaction():
            ids = self._connection.execute(sa.select(SNAPSHOTS.c.id).order_by(SNAPSHOTS.c.number)).scalars().all()
        return map(self.snapshot_row, ids)

    def snapshot_row(self, found: str) -> tuple[str, str, str, str]:
        """(id, run, label, document) of the snapshot whose id is `found`. Raises `DigestMismatch` where it is not what was written."""
        with self._transaction():
            row = self._connection.execute(sa.select(SNAPSHOTS).where(SNAPSHOTS.c.id == found)).one_or_none()
        if row is None:
            raise damaged(f"snapshot {found}")
        fields = (row.id, row.run, row.label, row.document)
        check(f"snapshot {row.id}", "", fields, row.seal)
        return fields


def _unusable(path: Path, reason: object) -> InvalidInput:
    return InvalidInput(
        f"the journal {path} is damaged or cannot be used: {reason}",
        hint="mend the disk, or put a copy of the state directory in its place",
    )


def _writable(text: str) -> str:
    """`text` in UTF-8, which what hosts and users say need not be: other bytes are written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def pick(kind: str, name: str, ids: list[str]) -> str:
    """The one of `ids` (oldest first) that `name` means: itself, an unambiguous beginning, `last`, `last-N`. Raises `UnknownName`."""
    if name == "last" or name.startswith("last-"):
        back = name.removeprefix("last").removeprefix("-") or "0"
        if back.isdigit() and int(back) < len(ids):
            return ids[-1 - int(back)]
    matching = [one for one in ids if one == name] or [one for one in ids if name and one.startswith(name)]
    if len(matching) != 1:
        raise UnknownName(kind, name, ids)
    return matching[0]


@contextmanager
def owned(path: Path, command: str) -> Iterator[Journal]:
    """The journal, owned by this process until the block ends. Raises `JournalLocked`, naming the owner.

    The lock is the kernel's (fcntl), so that it dies with its owner and is never stale; the file only tells who that is.
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
    """Which other process owns the journal at `path`, '' where none does. Takes nothing: asking keeps no run from beginning.

    Not for who owns it: where a process closes a file, it gives up its locks there (fcntl(2)).
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
    """Who is at work here, from where, and by which command, without passwords. With sudo, who called it."""
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
    return "it has not said its name"


def _make_durable(connection: Any, _record: object) -> None:
    """WAL with synchronous=FULL syncs at every commit (sqlite.org/pragma.html#pragma_synchronous)."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _event(row: Any) -> Event:
    fields = {name: getattr(row, name) for name in ("seq", "at", "run", "what", "wave", "host", "text", "error")}
    before = codec.loads(row.before, Step, source=f"event {row.seq}") if row.before else None  # type: ignore[type-abstract]
    return Event(**fields, index=row._mapping["index"], before=before)
