"""Scenario: an upgrade as data.

A scenario describes services, repositories, and the order of stages. Inventory and facts decide which hosts and packages these are.
"""

from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.packaging.registry import family_of, formats

EVERY = "all"
"""The group of every host."""
SERIAL = "1,10%,100%"
OUTAGE = "what its packages and services are for, on each host while these change"
WAY_BACK = "the old packages in one transaction, and the captured configuration"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the scenario: its value in this run, and its explanation `text`."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A file of sources.list(5), or of repositories after dnf.conf(5). `text` is None for a file to be removed."""

    path: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """apt's source files at `path`, a glob. Their `suites` (old, new) are replaced; both have one `*`, or none."""

    path: str
    suites: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Repositories:
    """The change of repositories on hosts of `family`, a package format: `old` is removed, `new` is added, and `rewrites` edit other
    files in place. With `old` and `new` at one path, that file is replaced.
    """

    family: str
    old: RepositoryFile | None = None
    new: RepositoryFile | None = None
    rewrites: tuple[Rewrite, ...] = ()

    @property
    def in_place(self) -> bool:
        """Whether `new` takes the place of `old` in one file."""
        return self.old is not None and self.new is not None and self.old.path == self.new.path

    @property
    def change(self) -> bool:
        """Whether any repository changes."""
        return bool(self.old or self.new or self.rewrites)


@dataclass(frozen=True, slots=True)
class CatalogueService:
    """A service, by the name of its unit in the new release, and the check that it works.

    `was`: its name in the old release, '' if that is the same. `package`: the name of its package. On hosts without such a
    package, the package has the name of the unit. `port`: the TCP port to check, 0 for none. `path`: the path to request over
    HTTP on that port, '' for none. The answer must have `status` and contain `says`, in which `{version}` is the package's version.
    `timeout`: the seconds to wait for that.
    """

    name: str
    was: str = ""
    package: str = ""
    port: int = 0
    path: str = ""
    status: int = 200
    says: str = ""
    timeout: int = 30

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in both releases, the new one first."""
        return (self.name, self.was) if self.was else (self.name,)

    @property
    def packages(self) -> tuple[str, ...]:
        """The names that its package may have; that of the scenario is first."""
        return (self.package, *self.names) if self.package else self.names


@dataclass(frozen=True, slots=True)
class Edit:
    """The wanted `value` of `option` in `section` of the INI file at `path`; None: not set."""

    path: str
    section: str
    option: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """Packages and services that are upgraded together.

    The stage selects the hosts of `groups` on which a package matches `packages`. A `*` among these is a full upgrade.
    `only_from`: the only origins of new versions; empty allows all.
    With a `database`, all hosts are upgraded in step. Their services are stopped; the database is dumped, and migrated once by
    `sync` on the first host of each cloud. Without a database, each host is upgraded by itself, in batches (`serial`).
    A stage with `after` waits until every host of these stages is on the new release.
    """

    name: str
    groups: tuple[str, ...]
    packages: tuple[str, ...] = ()
    services: tuple[CatalogueService, ...] = ()
    configuration: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    database: str = ""
    sync: tuple[str, ...] = ()
    serial: str = SERIAL
    after: tuple[str, ...] = ()
    outage: str = OUTAGE
    way_back: str = WAY_BACK
    only_from: tuple[Origin, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether the stage upgrades every package. The package manager may then install and remove packages."""
        return "*" in self.packages

    def origins(self, manager: str) -> tuple[Origin, ...]:
        """The allowed origins on hosts with this package manager."""
        return tuple(origin for origin in self.only_from if origin.within(family_of(manager).origins.fields))

    def is_for(self, manager: str) -> bool:
        """Whether the stage has packages for hosts with this package manager."""
        return not self.only_from or bool(self.origins(manager))


@dataclass(frozen=True, slots=True)
class Scenario:
    """An upgrade of a fleet.

    `repositories`: one for each family; if empty, hosts keep their repositories. `renames` (old, new): part of package names, or,
    with a `*` in both, whole names. `quorums`: groups of which a majority must stay up in each cloud. `database_groups`: groups of
    the database hosts. `defaults_file`: the MariaDB client's option file there. `waive`: keys of findings that do not block.
    """

    name: str
    summary: str
    source: str
    settings: tuple[Setting, ...]
    repositories: tuple[Repositories, ...]
    renames: tuple[tuple[str, str], ...]
    quorums: tuple[str, ...]
    database_groups: tuple[str, ...]
    defaults_file: str
    services: tuple[CatalogueService, ...]
    stages: tuple[Stage, ...]
    waive: tuple[str, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """The package formats of the hosts that it upgrades."""
        return tuple(change.family for change in self.repositories) or tuple(format.name for format in formats())

    def repositories_of(self, family: str) -> Repositories:
        """The change of repositories on hosts of this format. Raises `InvalidInput` for a format without repositories."""
        for repositories in self.repositories or map(Repositories, self.families):
            if repositories.family == family:
                return repositories
        raise InvalidInput(f"{self.name} names no repositories for {family} hosts")

    def stage_of(self, wave: str) -> Stage | None:
        """The stage of the wave with this name, None for others. The name of a wave begins with that of its stage."""
        word = wave.replace(":", " ").partition(" ")[0]
        return next((stage for stage in self.stages if stage.name == word), None)

    def renamed(self, name: str) -> str:
        """The name of the package `name` in the new release; '' if it is not renamed."""
        for old, new in self.renames:
            head, star, tail = old.partition("*")
            if star and len(name) >= len(head + tail) and name.startswith(head) and name.endswith(tail):
                return new.replace("*", name[len(head) : len(name) - len(tail)])
            if not star and old in name:
                return name.replace(old, new)
        return ""
