"""Scenario: an upgrade as data.

A scenario says what there is (services, repositories) and in which order (stages); which hosts and packages that means is
found out from inventory and facts.
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
    """A knob of the scenario, with the value that counts this time."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A file of sources.list(5), or of repositories after dnf.conf(5). `text` is None where only its path matters, since it is
    to go."""

    path: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """apt's source files at `path`, a glob, in which `suites` (old, new) are replaced: with one `*` each, or none."""

    path: str
    suites: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Repositories:
    """How the repositories change on the hosts of `family`, a format of packages: the file `old` is removed, `new` is added,
    `rewrites` change others in place. With `old` and `new` at one path, that file is replaced."""

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
        """Whether anything changes at all."""
        return bool(self.old or self.new or self.rewrites)


@dataclass(frozen=True, slots=True)
class CatalogueService:
    """A service by its unit's name in the new release, and what tells that it works.

    `was`: its name in the old release, where that was another. `package`: its package, which on hosts that have none of that
    name is called as the unit is. `port` 0: none is asked. `path`: what is asked for over HTTP on that port ('': nothing); the
    answer has `status` and contains `says`, where `{version}` is the version of the package. `timeout`: the seconds until it does.
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
        """The names that its package may have, the one that is told first."""
        return (self.package, *self.names) if self.package else self.names


@dataclass(frozen=True, slots=True)
class Edit:
    """In the INI file at `path`, `option` of `section` is to be `value`; `None`: not set."""

    path: str
    section: str
    option: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """What goes from one release to the next together.

    It is for the hosts of `groups` on which a package matches `packages`; `*` among these is a full upgrade. `only_from`: new
    versions are taken from these origins alone (none: from all). With a `database`, its hosts go in step: stopped everywhere,
    dumped, and migrated once by `sync` on the first host of each cloud. Without, each host goes by itself, in batches (`serial`).
    A stage with `after` closes what these stages opened: it waits until every host of theirs is on the new release.
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
        """Whether it means every package: new ones may come, and old ones go, as the package manager sees fit."""
        return "*" in self.packages

    def origins(self, manager: str) -> tuple[Origin, ...]:
        """Those that its packages may come from on hosts with this package manager."""
        return tuple(one for one in self.only_from if one.within(family_of(manager).origins.fields))

    def is_for(self, manager: str) -> bool:
        """Whether it has packages for hosts with this package manager."""
        return not self.only_from or bool(self.origins(manager))


@dataclass(frozen=True, slots=True)
class Scenario:
    """An upgrade of a fleet. `repositories`: one a family; without any, each host has those that it has. `renames`: what is called
    OLD in package names becomes NEW, or, where both have a `*` for the rest of it, the whole name. `quorums`: groups of which a
    majority must stay, in each cloud. `database_groups`: where databases are. `defaults_file`: the MariaDB client's option file there.
    `waive`: keys of findings that are known, and not in the way."""

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
        """The formats of packages of the hosts that it is about."""
        return tuple(one.family for one in self.repositories) or tuple(format.name for format in formats())

    def repositories_of(self, family: str) -> Repositories:
        """How the repositories of hosts of this format change. Raises `InvalidInput` where the scenario is not about them."""
        for one in self.repositories or map(Repositories, self.families):
            if one.family == family:
                return one
        raise InvalidInput(f"{self.name} names no repositories for {family} hosts")

    def stage_of(self, wave: str) -> Stage | None:
        """The stage that the wave of this name belongs to: wave names begin with their stage's."""
        word = wave.replace(":", " ").partition(" ")[0]
        return next((stage for stage in self.stages if stage.name == word), None)

    def renamed(self, name: str) -> str:
        """What the package `name` would be called in the new release, where it was renamed; '' where it keeps its name."""
        for old, new in self.renames:
            head, star, tail = old.partition("*")
            if star and len(name) >= len(head + tail) and name.startswith(head) and name.endswith(tail):
                return new.replace("*", name[len(head) : len(name) - len(tail)])
            if not star and old in name:
                return name.replace(old, new)
        return ""
