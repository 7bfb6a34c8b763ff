"""Databases: dump one, and restore it. Dumps are deterministic: equal digests mean equal content."""

from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.database.mariadb import MARIADB
from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput, StateDiffers
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

DIRECTORY = "/var/lib/nornir-upgrade/dumps"
# The dump must be private from its first byte. Jobs of apt must not inherit such a umask, so that it is set here.
_PRIVATELY = 'umask 077; exec "$@"'
_FROM_FILE = 'exec 0<"$1"; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class DumpDatabase(Step, kind="dump_database"):
    """The store holds a whole dump of `database`. Restoring it also undoes a migration of that database.

    `cloud` tells the database from one of the same name in another cloud.
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
        """Does nothing: `observe` made the dump."""

    def describe(self) -> str:
        return f"dump database {self.database}"

    @property
    def capture(self) -> str:
        return f"database {self.database}" + (f" of cloud {self.cloud}" if self.cloud else "")


@dataclass(frozen=True, slots=True)
class RestoreDatabase(Step, kind="restore_database"):
    """`database` holds exactly the content of `dump`, a digest in the store. '' means that the database does not exist.

    The present content is dumped first, so that the store holds rows written since. An interrupted restore starts again from its
    beginning: a dump drops the database before it makes it anew.
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
            host.run(MARIADB.drop_argv(self.database, self.defaults_file))
        if dumped(host, store, self.database, self.defaults_file) != self.dump:
            raise StateDiffers(f"{host.name}: after its restore, database {self.database} differs from the dump")

    def _load(self, host: Host, store: Store) -> None:
        path = _file(host, f"{MARIADB.check_name(self.database)}.restore.sql")
        with store.open(self.dump) as source:
            host.upload(source, path)
        host.forget("restore")
        _run_job(host, "restore", ("sh", "-c", _FROM_FILE, "sh", path, *MARIADB.load_argv(self.defaults_file)))
        host.run(("rm", "-f", "--", path))

    def describe(self) -> str:
        return f"restore database {self.database}" if self.dump else f"drop database {self.database}"


def dumped(host: Host, store: Store, database: str, defaults_file: str = "") -> str:
    """Dumps `database` into the store. Returns the dump's digest, or '' if the database does not exist.

    Raises `CommandFailed` if the client fails, `DiskFull` if the dump does not fit, `StateDiffers` if the dump is cut off. No part of
    the dump stays on the host.
    """
    if not host.run(MARIADB.exists_argv(database, defaults_file)).text.strip():
        return ""
    path = _file(host, f"{database}.sql")
    host.forget("dump")  # a dump left by a controller that died is older than the present
    try:
        _run_job(host, "dump", ("sh", "-c", _PRIVATELY, "sh", *MARIADB.dump_argv(database, defaults_file, path)))
        digest = store.fill(lambda sink: host.download(path, sink))
    except (CommandFailed, DiskFull):
        _clear(host, path)  # half a dump would fill a disk that others write to
        raise
    _clear(host, path)
    with store.open(digest) as file:
        file.seek(max(0, file.seek(0, 2) - 200))
        if not MARIADB.is_whole(file.read()):
            raise StateDiffers(f"{host.name}: the dump of database {database} is cut off")
    return digest


def _clear(host: Host, path: str) -> None:
    """Afterwards no part of a dump is left on the host."""
    host.run(("rm", "-f", "--", path))
    host.forget("dump")


def _run_job(host: Host, name: str, argv: tuple[str, ...]) -> None:
    result = host.job(name, (argv,))
    if result.status != 0:
        raise MARIADB.error(host.name, name, result)


def _file(host: Host, name: str) -> str:
    host.run(("install", "-d", "-m", "0700", "--", DIRECTORY))
    return f"{DIRECTORY}/{name}"
