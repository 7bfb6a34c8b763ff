"""Database engine: what facts and steps ask of one. Every method is pure; others run the commands and scripts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nornir_upgrade.core.errors import CommandFailed, DiskFull
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import Section


@dataclass(frozen=True, slots=True)
class Database:
    """A database on a host. `digest` is the SHA-256 of its logical content (a dump without dates)."""

    name: str
    digest: str


class DatabaseEngine(Protocol):
    """`defaults_file` is an option file on the host with credentials; '' is root over the local socket."""

    def check_name(self, name: str) -> str:
        """Returns `name`. Raises `InvalidInput` if it is not the name of a database."""

    # ------------------------------------------------------------------ facts

    @property
    def digest_script(self) -> str:
        """Shell text: one section `database NAME` for each positional parameter. `SHELL` of `transport.sections` precedes it."""

    def parse_digests(self, sections: Iterable[Section]) -> tuple[Database, ...]:
        """The databases in the output of `digest_script`, by name. Raises `InvalidInput` if a dump failed."""

    @property
    def size_script(self) -> str:
        """Shell text: one section `databases`, from `$query` and `$defaults`. `APART` of `transport.sections` precedes it."""

    def size_query(self, databases: Sequence[str]) -> str:
        """The `$query` of `size_script`; '' if `databases` is empty. Raises `InvalidInput` for a bad name."""

    def parse_sizes(self, section: Section) -> tuple[Mapping[str, int], str]:
        """Bytes of each database that exists, and the client's error: '' if it answered. Raises `InvalidInput`."""

    # ------------------------------------------------------------------ dump and restore

    def exists_argv(self, database: str, defaults_file: str) -> tuple[str, ...]:
        """The command that prints something if the database exists, and nothing if not."""

    def dump_argv(self, database: str, defaults_file: str, path: str) -> tuple[str, ...]:
        """The command that dumps the database to `path`. Equal content gives equal bytes."""

    def load_argv(self, defaults_file: str) -> tuple[str, ...]:
        """The command that reads a dump from standard input: it drops the dump's database and makes it anew."""

    def drop_argv(self, database: str, defaults_file: str) -> tuple[str, ...]:
        """The command that drops the database."""

    def is_whole(self, end: bytes) -> bool:
        """Whether a dump is complete, judged by its last 200 bytes."""

    def error(self, host: str, action: str, result: Result) -> CommandFailed | DiskFull:
        """The exception for a client that failed on `host`. `action` is `dump` or `restore`."""
