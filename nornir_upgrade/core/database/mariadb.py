"""MariaDB: its clients' commands, and parsers of their output.

The client logs in as root over the local socket, or with the credentials in an option file on the host. Passwords never
appear in an argument vector.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput
from nornir_upgrade.core.step import absolute
from nornir_upgrade.core.transport.disk import full
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import Section

from .engine import Database, DatabaseEngine

_NAME = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_$-]*", re.ASCII)
_END = b"-- Dump completed"
# mariadb-dump(1). One transaction, so that writers need not stop. No dates, and sorted rows: equal content gives equal bytes.
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
# AUTO_INCREMENT is the position of a counter, not content of a table.
_DIGESTS = """\
for database do
  status=$({ {
    mariadb-dump --single-transaction --skip-dump-date --skip-comments --order-by-primary --routines --triggers --events \\
      --hex-blob -- "$database"; echo $? >&3
  } | sed -E 's/^(\\) ENGINE=.*) AUTO_INCREMENT=[0-9]+/\\1/' | sha256sum >&4; } 3>&1) 4>&1
  mark "database $database" $status
done
"""
_SIZES = """\
if [ "$query" ]; then
  heard mariadb ${defaults:+"--defaults-extra-file=$defaults"} --batch --skip-column-names "--execute=$query"; told databases
else
  mark databases 0
fi
"""
_SIZE_QUERY = (
    "SELECT s.schema_name, CAST(COALESCE(SUM(t.data_length + t.index_length), 0) AS UNSIGNED) FROM information_schema.schemata s"
    " LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name WHERE s.schema_name IN ({}) GROUP BY 1"
)


class MariaDB:
    """Satisfies `DatabaseEngine`."""

    digest_script = _DIGESTS
    size_script = _SIZES

    def check_name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a database")
        return name

    def parse_digests(self, sections: Iterable[Section]) -> tuple[Database, ...]:
        return tuple(sorted(_digests(sections), key=lambda database: database.name))

    def size_query(self, databases: Sequence[str]) -> str:
        names = [self.check_name(name) for name in databases]
        return _SIZE_QUERY.format(", ".join(f"'{name}'" for name in names)) if names else ""

    def parse_sizes(self, section: Section) -> tuple[Mapping[str, int], str]:
        if section.status != 0:
            return {}, " ".join(section.said.split()) or f"status {section.status}"
        return dict(_size(section, *line) for line in section.lines()), ""

    def exists_argv(self, database: str, defaults_file: str) -> tuple[str, ...]:
        name = self.check_name(database)
        query = f"--execute=SELECT 1 FROM information_schema.schemata WHERE schema_name = '{name}'"
        return (*_client(defaults_file), "--batch", "--skip-column-names", query)

    def dump_argv(self, database: str, defaults_file: str, path: str) -> tuple[str, ...]:
        name = self.check_name(database)
        return ("mariadb-dump", *_credentials(defaults_file), *_OPTIONS, f"--result-file={path}", "--databases", name)

    def load_argv(self, defaults_file: str) -> tuple[str, ...]:
        return _client(defaults_file)

    def drop_argv(self, database: str, defaults_file: str) -> tuple[str, ...]:
        return (*_client(defaults_file), f"--execute=DROP DATABASE `{self.check_name(database)}`")

    def is_whole(self, end: bytes) -> bool:
        return _END in end

    def error(self, host: str, action: str, result: Result) -> CommandFailed | DiskFull:
        if full(result.text):
            return DiskFull(
                f"{host}: no space left for the {action} of a database: {result.text.strip()}",
                hint="make room there, then resume the run",
            )
        return CommandFailed(host, f"{action} of a database", result.status, result.text)


def _client(defaults_file: str) -> tuple[str, ...]:
    return ("mariadb", *_credentials(defaults_file))


def _credentials(defaults_file: str) -> tuple[str, ...]:
    """The option that names the option file must be the first of all (mariadb(1))."""
    if defaults_file and not absolute(defaults_file):
        raise InvalidInput(f"{defaults_file!r} is not an absolute path")
    return (f"--defaults-extra-file={defaults_file}",) if defaults_file else ()


def _digests(sections: Iterable[Section]) -> Iterator[Database]:
    for section in sections:
        kind, _, name = section.name.partition(" ")
        if kind == "database":
            yield Database(name, section.succeeded().text.split()[0])


def _size(section: Section, offset: int, line: str) -> tuple[str, int]:
    name, tab, size = line.partition("\t")
    if not tab or not size.isdecimal():
        raise section.fail(f"no size of a database: {line!r}", offset)
    return name, int(size)


MARIADB: DatabaseEngine = MariaDB()
"""The engine of every database that a scenario names."""
