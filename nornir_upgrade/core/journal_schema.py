"""Journal schema: the tables of the journal, and the seals over their rows. `journal` reads and writes them."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from .errors import DigestMismatch, InvalidInput

SCHEMA = 2  # 1 had no seals
TABLES = sa.MetaData()


def _sealed() -> sa.Column[str]:
    return sa.Column("seal", sa.Text, nullable=False, server_default="")


META = sa.Table("meta", TABLES, sa.Column("schema", sa.Integer, nullable=False))
RUNS = sa.Table(
    "runs",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, unique=True, nullable=False),
    sa.Column("parent", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    _sealed(),
)
EVENTS = sa.Table(
    "events",
    TABLES,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False, index=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    _sealed(),
)
# The seal of each run's last event: it shows whether events are missing at the end.
HEADS = sa.Table(
    "heads",
    TABLES,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("seal", sa.Text, nullable=False),
)
SNAPSHOTS = sa.Table(
    "snapshots",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, unique=True, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    _sealed(),
)
SEALED_FIELDS = ("at", "run", "what", "wave", "host", "index", "text", "before", "error")


def prepare(connection: sa.Connection, place: object) -> None:
    """Afterwards the database at `place` has these tables, in this format. Raises `InvalidInput` if its format is newer."""
    TABLES.create_all(connection)
    schema = connection.execute(sa.select(META.c.schema)).scalar()
    if schema is None:
        connection.execute(META.insert().values(schema=SCHEMA))
    elif schema > SCHEMA:
        raise InvalidInput(
            f"{place} was written by a newer version of this program (format {schema}, this one knows {SCHEMA})",
            hint="use that version; nothing was changed",
        )
    elif schema < SCHEMA:
        for table in ("runs", "events", "snapshots"):
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN seal TEXT NOT NULL DEFAULT ''")
        connection.execute(META.update().values(schema=SCHEMA))


def check_run(row: Any, events: Iterable[Any], head: str) -> None:
    """Raises `DigestMismatch` at the first row of a run that is not what was written.

    `head`: the seal of the last event, read before `events`.
    """
    last = check(f"run {row.id}", "", (row.id, row.parent, row.comment, row.plan), row.seal)
    seen = {last}
    for event in events:
        fields = [event._mapping[name] for name in SEALED_FIELDS]
        last = check(f"event {event.seq} of run {row.id}", last, fields, event.seal)
        seen.add(last)
    if head not in seen:
        raise damaged(f"the end of run {row.id}")


def seal(before: str, fields: Iterable[object]) -> str:
    """SHA-256 over the seal `before` and the fields. Each field is preceded by its length: different rows give different input."""
    digest = hashlib.sha256(before.encode())
    for field in fields:
        data = str(field).encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def check(what: str, before: str, fields: Sequence[object], stored: str) -> str:
    """Returns the `stored` seal of a row if it is right. Raises `DigestMismatch` naming `what` the row is about.

    A row without a seal was written by a version of this program that had none: damage never empties a seal. `before` is returned.
    """
    if stored and stored != seal(before, fields):
        raise damaged(what)
    return stored or before


def damaged(what: str) -> DigestMismatch:
    """The error for a row that is not what was written, or is missing."""
    return DigestMismatch(
        f"{what} in the journal is not what was written: nothing is done or undone by it",
        hint="repair the disk, and replace the state directory with a copy of it",
    )
