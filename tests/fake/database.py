"""MariaDB as a fake host has it: databases whose schema a migration really changes."""

import msgspec

from tests.fake import files
from tests.fake.index import SCHEMAS
from tests.fake.state import NOTHING_DONE, Database, File, HostState
from tests.fake.systemd import release_of

_END = b"-- Dump completed\n"


def text_of(name: str, database: Database) -> bytes:
    """The dump: the same bytes for the same content."""
    body = msgspec.json.encode(database, order="deterministic")
    return f"-- fake dump\n-- {name}\n".encode() + body + b"\n" + _END


def dump(state: HostState, name: str, path: str, how_much: str) -> tuple[int, bytes]:
    """Write the dump, or the first half of it."""
    if name not in state.databases:
        return 2, f"mariadb-dump: Unknown database '{name}'\n".encode()
    whole = text_of(name, state.databases[name])
    data = whole if how_much == "whole" else whole[: len(whole) // 2]
    files.put(state, path, File("file", "0600", data=data))
    return NOTHING_DONE


def drop(state: HostState, path: str) -> tuple[int, bytes]:
    """The first thing that a dump's statements do."""
    state.databases.pop(_parse(state, path)[0], None)
    return NOTHING_DONE


def load(state: HostState, path: str) -> tuple[int, bytes]:
    """The rest of a dump's statements."""
    name, database = _parse(state, path)
    state.databases[name] = database
    return NOTHING_DONE


def _parse(state: HostState, path: str) -> tuple[str, Database]:
    _, name, body, end = files.follow(state, path).data.splitlines(keepends=True)
    assert end == _END, "a dump without its end was restored"
    return name.decode().removeprefix("-- ").strip(), msgspec.json.decode(body, type=Database)


def widen(state: HostState, name: str, program: str) -> tuple[int, bytes]:
    """The first half of a migration: every table gets a column, still empty."""
    target = _target(state, name, program)
    if target is None:
        return 1, f"{program}: command not found or no such database\n".encode()
    database = state.databases[name]
    if database.schema > target:
        return 1, f"{program}: schema {database.schema} is newer than {target}\n".encode()
    column = f"since_{target}"
    for rows in database.tables.values() if database.schema < target else ():
        if column not in rows[0]:
            rows[0].append(column)
            for row in rows[1:]:
                row.append("")
    return NOTHING_DONE


def convert(state: HostState, name: str, program: str) -> tuple[int, bytes]:
    """The second half: the new column is filled from the first, which is rewritten, and the number counted up."""
    target = _target(state, name, program)
    if target is None or state.databases[name].schema >= target:
        return NOTHING_DONE
    database = state.databases[name]
    for rows in database.tables.values():
        for row in rows[1:]:
            row[-1], row[0] = f"{row[0]}@{target}", row[0].upper()
    database.schema = target
    return 0, f"migrated {name} to {target}\n".encode()


def _target(state: HostState, name: str, program: str) -> int | None:
    """The schema that the installed program knows."""
    project = {"quantum-db-manage": "quantum", "neutron-db-manage": "neutron"}.get(program, program.partition("-")[0])
    release = release_of(state, f"python-{project}")
    return SCHEMAS[release][name] if release and name in state.databases else None
