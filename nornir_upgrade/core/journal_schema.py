"""The journal's tables, and the seals over their rows. What they mean, `journal` says."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from .errors import InvalidInput
from .seal import check, damaged

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
# The seal of a run's last event: that none is missing after it.
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
    """Afterwards the database at `place` has these tables, in this form. Raises `InvalidInput` where it has a newer one."""
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
    """Raises `DigestMismatch` at the first row of the run that is not what was written. `head` is the seal of what was the last event
    before `events` were read.
    """
    last = check(f"run {row.id}", "", (row.id, row.parent, row.comment, row.plan), row.seal)
    seen = {last}
    for event in events:
        fields = [event._mapping[name] for name in SEALED_FIELDS]
        last = check(f"event {event.seq} of run {row.id}", last, fields, event.seal)
        seen.add(last)
    if head not in seen:
        raise damaged(f"the end of run {row.id}")
