"""The project's database: which schema it has, who registered, and how it is migrated."""

import configparser
import time
from contextlib import closing
from typing import Any

import pymysql
from pymysql.connections import Connection

from . import settings

_REFUSED = {1044, 1045, 1049}  # no such right, wrong password, no such database: waiting changes nothing
_NO_SUCH_TABLE = 1146


def connect(config: configparser.ConfigParser) -> closing[Connection]:
    """A connection; raises settings.Unusable where the server refuses us, pymysql.OperationalError where there is none."""
    try:
        return closing(pymysql.connect(autocommit=True, connect_timeout=5, **settings.database(config)))
    except pymysql.OperationalError as error:
        if error.args[0] in _REFUSED:
            raise settings.Unusable(f"the database refuses us: {error.args[1]}") from None
        raise


def connect_within(config: configparser.ConfigParser, seconds: float) -> closing[Connection]:
    """As `connect`, waiting that long for a server that is not up yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return connect(config)
        except pymysql.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def schema(connection: Connection) -> int:
    """The schema's version; 0 for a database without one."""
    try:
        return int(_ask(connection, "SELECT version FROM migrate_version")[0][0])
    except pymysql.ProgrammingError as error:
        if error.args[0] != _NO_SUCH_TABLE:
            raise
        return 0


def count(connection: Connection, table: str) -> int:
    """The number of rows in a table of this project."""
    return int(_ask(connection, f"SELECT COUNT(*) FROM `{table}`")[0][0])


def register(connection: Connection, host: str, binary: str, level: str) -> None:
    """Afterwards the table of services says which RPC level this service speaks. No time in it: once is as good as twice."""
    row = "REPLACE INTO services (host, `binary`, rpc_level) VALUES (%s, %s, %s)"
    _ask(connection, row, host, binary, level)


def levels(connection: Connection, binary: str) -> dict[str, str]:
    """The RPC level of each host where such a service has registered."""
    return dict(_ask(connection, "SELECT host, rpc_level FROM services WHERE `binary` = %s ORDER BY host", binary))


def migrate(connection: Connection) -> int:
    """Brings the schema to this release's version, file by file, and returns that. Raises Unusable where it is newer.

    MariaDB commits each change of a table at once, so each file is written such that it may run again after a crash.
    """
    _ask(connection, "SELECT GET_LOCK(CONCAT(DATABASE(), '.migrate'), 60)")
    _ask(connection, "CREATE TABLE IF NOT EXISTS migrate_version (version INT NOT NULL)")
    _ask(
        connection,
        "CREATE TABLE IF NOT EXISTS services (host VARCHAR(255) NOT NULL, `binary` VARCHAR(64) NOT NULL,"
        " rpc_level VARCHAR(32) NOT NULL, PRIMARY KEY (host, `binary`))",
    )
    if not _ask(connection, "SELECT version FROM migrate_version"):
        _ask(connection, "INSERT INTO migrate_version VALUES (0)")
    known = settings.RELEASE["schema"]
    if schema(connection) > known:
        raise settings.Unusable(f"the schema has version {schema(connection)}, newer than {known}; it cannot go back")
    for path in sorted((settings.HERE / "schema").glob("*.sql")):
        version = int(path.name.partition("_")[0])
        if version > schema(connection):
            for statement in path.read_text().split(";\n"):
                if statement.strip():
                    _ask(connection, statement)
            _ask(connection, "UPDATE migrate_version SET version = %s", version)
    return schema(connection)


def _ask(connection: Connection, statement: str, *values: object) -> tuple[tuple[Any, ...], ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return tuple(cursor.fetchall())
