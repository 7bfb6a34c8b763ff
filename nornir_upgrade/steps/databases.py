"""Databases (MariaDB): dump one, and restore it. The dump is deterministic, so that its digest says whether content differs.

The client logs in as root over the local socket, or with the credentials in an option file on the host: passwords never
stand in an argument vector.
"""

import re
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput, StateDiffers
from nornir_upgrade.core.packaging.file_source import full
from nornir_upgrade.core.step import Step, absolute
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

_NAME = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_$-]*")
DIRECTORY = "/var/lib/nornir-upgrade/dumps"
_END = b"-- Dump completed"
# mariadb-dump(1). One transaction, so that writers need not stop; no dates, sorted rows: equal content gives equal bytes.
_OPTIONS = (
    "--single-transaction",
    "--skip-dump-date",
    "--order-by-primary",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--add-drop-database",
)
# The file must be private from its first byte; apt's jobs must not inherit such a umask, so it is set here.
_PRIVATELY = 'umask 077; exec "$@"'
_FROM_FILE = 'exec 0<"$1"; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class DumpDatabase(Step, kind="dump_database"):
    """A whole dump of `database` is in the store. Its restore is also the way back of whatever migrates that database.

    `cloud` tells it from a database of the same name that another host holds.
    """

    database: str
    defaults_file: str = ""
    cloud: str = ""
    kind: Literal["dump_database"] = "dump_database"

    def observe(self, host: Host, store: Store) -> Step:
        if not (dump := dumped(host, store, self.database, self.defaults_file)):
            raise InvalidInput(f"{host.name}: there is no database {self.database!r}")
        return RestoreDatabase(self.database, dump, self.defaults_file)

    def apply(self, host: Host, store: Store) -> None:
        """Nothing: the dump was made when it was observed."""

    def describe(self) -> str:
        return f"dump database {self.database}"

    @property
    def capture(self) -> str:
        return f"database {self.database}" + (f" of cloud {self.cloud}" if self.cloud else "")


@dataclass(frozen=True, slots=True)
class RestoreDatabase(Step, kind="restore_database"):
    """`database` holds exactly what `dump` (a digest in the store) says; '' means that there is no such database.

    The present content is dumped first, so that rows written since are kept in the store. Interrupted, it is run again
    from its beginning: the dump drops the database before it makes it anew.
    """

    database: str
    dump: str
    defaults_file: str = ""
    kind: Literal["restore_database"] = "restore_database"

    def observe(self, host: Host, store: Store) -> Step:
        return RestoreDatabase(
            self.database, dumped(host, store, self.database, self.defaults_file), self.defaults_file
        )

    def apply(self, host: Host, store: Store) -> None:
        if dumped(host, store, self.database, self.defaults_file) == self.dump:
            return
        if self.dump:
            self._load(host, store)
        else:
            host.run((*_client(self.defaults_file), f"--execute=DROP DATABASE `{_checked(self.database)}`"))
        if dumped(host, store, self.database, self.defaults_file) != self.dump:
            raise StateDiffers(f"{host.name}: database {self.database} does not hold what was restored")

    def _load(self, host: Host, store: Store) -> None:
        path = _file(host, f"{_checked(self.database)}.restore.sql")
        with store.open(self.dump) as source:
            host.upload(source, path)
        host.forget("restore")
        _succeed(host, "restore", ("sh", "-c", _FROM_FILE, "sh", path, *_client(self.defaults_file)))
        host.run(("rm", "-f", "--", path))

    def describe(self) -> str:
        return f"restore database {self.database}" if self.dump else f"drop database {self.database}"


def dumped(host: Host, store: Store, database: str, defaults_file: str = "") -> str:
    """Dump `database` into the store; returns the dump's digest, or '' where there is no such database.

    A dump counts only when its client ended well and its last line says that it is whole. Raises `DiskFull` where it does not fit,
    and leaves nothing of it then.
    """
    if not _exists(host, _checked(database), defaults_file):
        return ""
    path = _file(host, f"{database}.sql")
    host.forget("dump")  # a dump left by a controller that died is older than the present
    try:
        _succeed(host, "dump", ("sh", "-c", _PRIVATELY, "sh", *_dumper(database, defaults_file, path)))
        digest = store.fill(lambda sink: host.download(path, sink))
    except (CommandFailed, DiskFull):
        _clear(host, path)  # half of it would fill a disk that others write to
        raise
    _clear(host, path)
    with store.open(digest) as file:
        file.seek(max(0, file.seek(0, 2) - 200))
        if _END not in file.read():
            raise StateDiffers(f"{host.name}: the dump of database {database} is cut off")
    return digest


def _clear(host: Host, path: str) -> None:
    """Afterwards nothing of a dump is left on the host."""
    host.run(("rm", "-f", "--", path))
    host.forget("dump")


def _exists(host: Host, database: str, defaults_file: str) -> bool:
    query = f"--execute=SELECT 1 FROM information_schema.schemata WHERE schema_name = '{database}'"
    return bool(host.run((*_client(defaults_file), "--batch", "--skip-column-names", query)).text.strip())


def _client(defaults_file: str) -> tuple[str, ...]:
    return ("mariadb", *_credentials(defaults_file))


def _dumper(database: str, defaults_file: str, path: str) -> tuple[str, ...]:
    return ("mariadb-dump", *_credentials(defaults_file), *_OPTIONS, f"--result-file={path}", "--databases", database)


def _credentials(defaults_file: str) -> tuple[str, ...]:
    """The option file must be the first option of all (mariadb(1))."""
    if defaults_file and not absolute(defaults_file):
        raise InvalidInput(f"{defaults_file!r} is no absolute path")
    return (f"--defaults-extra-file={defaults_file}",) if defaults_file else ()


def _succeed(host: Host, name: str, argv: tuple[str, ...]) -> None:
    result = host.job(name, (argv,))
    if result.status != 0:
        if full(result.text):
            raise DiskFull(
                f"{host.name}: no space left for the {name} of a database: {result.text.strip()}",
                hint="make room there, then resume the run",
            )
        raise CommandFailed(host.name, f"{name} of a database", result.status, result.text)


def _file(host: Host, name: str) -> str:
    host.run(("install", "-d", "-m", "0700", "--", DIRECTORY))
    return f"{DIRECTORY}/{name}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name of a database")
    return name
