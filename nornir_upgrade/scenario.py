"""Scenario: an upgrade as data, read from YAML. Every error names file, line and key.

A scenario says what there is (services, repositories) and in which order (stages); which hosts and packages that means is
found out from inventory and facts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from . import document, waves
from .core.errors import InvalidInput, UnknownName
from .core.masking import masked
from .document import Node

FORMAT = "1.0"
SERIAL = "serial"
"""The setting that `--serial` sets."""

_WORD = r"[a-z0-9][a-z0-9_-]*"
_GROUP = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_PATTERN = r"[a-z0-9*?\[][a-z0-9+.*?\[\]!-]*"  # Debian Policy 5.6.1, and glob(7)
_UNIT = r"[A-Za-z0-9:_.][A-Za-z0-9:_.@-]*"  # systemd.unit(5)
_DATABASE = r"[A-Za-z0-9_$][A-Za-z0-9_$-]*"
_ABSOLUTE = r"/(?!.*(?:^|/)\.\.(?:/|$))[^\0\n]*"
_SOURCES = r"/etc/apt/sources\.list\.d/[A-Za-z0-9_.-]+\.(?:list|sources)"  # sources.list(5)
_PRINTABLE = r"[^\x00-\x1f\x7f]*"
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Setting:
    """A knob of the scenario, with the value that counts this time."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class SourcesFile:
    """A file of sources.list(5). `text` is None where only its path matters, since it is to go."""

    path: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueService:
    """A service by its unit's name in the new release, and what tells that it works.

    `was`: its name in the old release, where that was another. `port` 0: none is asked. `path`: what is asked for over HTTP
    on that port ('': nothing); the answer has `status` and contains `says`, where `{version}` is the version of the package
    that is called as the unit is.
    """

    name: str
    was: str = ""
    port: int = 0
    path: str = ""
    status: int = 200
    says: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in both releases, the new one first."""
        return (self.name, self.was) if self.was else (self.name,)


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

    It is for the hosts of `groups` on which a package matches `packages`; `*` among these is a full upgrade. With a
    `database`, its hosts go in step: stopped everywhere, dumped, and migrated once by `sync` on the first host. Without, each
    host goes by itself, in batches (`serial`).
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
    serial: str = "100%"
    after: tuple[str, ...] = ()
    outage: str = ""
    way_back: str = ""

    @property
    def everything(self) -> bool:
        """Whether it means every package: new ones may come, and old ones go, as the package manager sees fit."""
        return "*" in self.packages


@dataclass(frozen=True, slots=True)
class Scenario:
    """An upgrade of a fleet. `renames`: what is called OLD in package names becomes NEW, or, where both have a `*` for the rest
    of it, the whole name. `quorums`: groups of which a
    majority must stay. `database_groups`: where databases are. `defaults_file`: the MariaDB client's option file there."""

    name: str
    summary: str
    source: str
    settings: tuple[Setting, ...]
    old: SourcesFile
    new: SourcesFile
    renames: tuple[tuple[str, str], ...]
    quorums: tuple[str, ...]
    database_groups: tuple[str, ...]
    defaults_file: str
    services: tuple[CatalogueService, ...]
    stages: tuple[Stage, ...]

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


def names(directory: Path | None = None) -> tuple[str, ...]:
    """The scenarios that can be named: shipped ones, and those in `directory`; sorted."""
    shipped = (entry.name for entry in resources.files(f"{__package__}.scenarios").iterdir())
    local = (path.name for path in directory.glob("*.yaml")) if directory and directory.is_dir() else ()
    return tuple(sorted({name.removesuffix(".yaml") for name in (*shipped, *local) if name.endswith(".yaml")}))


def load(name: str, settings: Mapping[str, str] | None = None, directory: Path | None = None) -> Scenario:
    """The scenario called `name`, or in the file `name` where that is a path (ends in .yaml or .yml, or has a slash).

    One in `directory` goes before a shipped one of the same name. `settings` replace defaults. Raises `UnknownName` listing
    what exists (scenarios, settings), `InvalidInput` naming file, line and key.
    """
    with _source(name, directory) as path:
        return parse(document.read(path, _shown(path)), settings or {})


def pairs(given: Iterable[str]) -> dict[str, str]:
    """The settings that `--set KEY=VALUE` gave. Raises `InvalidInput` where one is no KEY=VALUE, or given twice."""
    found: dict[str, str] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--set {one!r}: not KEY=VALUE")
        if key in found:
            raise InvalidInput(f"--set {key} is given twice")
        found[key] = value
    return found


@contextmanager
def _source(name: str, directory: Path | None) -> Iterator[Path]:
    if "/" in name or name.endswith((".yaml", ".yml")):
        yield Path(name)
        return
    existing = names(directory)
    if name not in existing:
        raise UnknownName("scenario", name, existing)
    if directory and (local := directory / f"{name}.yaml").is_file():
        yield local
        return
    with resources.as_file(resources.files(f"{__package__}.scenarios") / f"{name}.yaml") as path:
        yield path


def _shown(path: Path) -> str:
    """A path below the current directory as one would type it, any other by its name alone when it is a shipped one."""
    if path.is_relative_to(Path(__file__).parent):
        return f"scenarios/{path.name}"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


# ---------------------------------------------------------------------- YAML -> Scenario


def parse(top: Node, given: Mapping[str, str]) -> Scenario:
    """The scenario that a document says, with the settings `given`. Raises as `load`."""
    keys = top.fields(
        ("format", "name", "summary", "repositories", "services", "stages"),
        ("settings", "renames", "quorums", "databases"),
    )
    if keys["format"].text() != FORMAT:
        raise keys["format"].fail(f"is {keys['format'].value}, and {FORMAT} is what this version reads")
    settings = _settings(keys.get("settings"), given)
    values = {one.name: one.value for one in settings}
    keys = {key: node.with_variables(values) for key, node in keys.items()}
    repositories = keys["repositories"].fields(("old", "new"))
    services = {name: _service(name, node) for name, node in keys["services"].items().items()}
    databases = keys["databases"].fields(("groups",), ("defaults_file",)) if "databases" in keys else {}
    defaults_file = databases.get("defaults_file")
    return Scenario(
        name=keys["name"].text(_WORD, what="a word of small letters, digits and hyphens"),
        summary=keys["summary"].text(),
        source=top.file,
        settings=settings,
        old=SourcesFile(_sources_path(repositories["old"].fields(("path",))["path"])),
        new=_new(repositories["new"]),
        renames=_renames(keys.get("renames")),
        quorums=keys["quorums"].texts(_GROUP, what="the name of a group") if "quorums" in keys else (),
        database_groups=databases["groups"].texts(_GROUP, what="the name of a group") if databases else (),
        defaults_file=defaults_file.text(f"(?:{_ABSOLUTE})?", what="an absolute path") if defaults_file else "",
        services=tuple(services.values()),
        stages=_stages(keys["stages"], services),
    )


def _settings(node: Node | None, given: Mapping[str, str]) -> tuple[Setting, ...]:
    declared = node.items() if node else {}
    for name in given:
        if name not in declared:
            raise UnknownName("setting", name, sorted(declared))
    found = []
    for name, entry in declared.items():
        fields = entry.fields(("default", "text"))
        default = fields["default"].text(_PRINTABLE, what="one line of text")
        value = given.get(name, default)
        if not value.isprintable():
            raise InvalidInput(f"--set {name}: must be one line of printable text, not {value!r}")
        found.append(Setting(name, value, fields["text"].text()))
    return tuple(found)


def _sources_path(node: Node) -> str:
    return node.text(_SOURCES, what="a file that apt reads in /etc/apt/sources.list.d")


def _new(node: Node) -> SourcesFile:
    fields = node.fields(("path", "text"))
    text = fields["text"].text()
    _refuse_secret(
        fields["text"], text, hint="name the site alone here, and its password on the hosts: apt_auth.conf(5)"
    )
    return SourcesFile(_sources_path(fields["path"]), text)


def _renames(node: Node | None) -> tuple[tuple[str, str], ...]:
    """Raises `InvalidInput` where one of the names has a `*` and the other has none, or has two."""
    found = node.items() if node else {}
    renames = tuple((old, new.text(r"[a-z0-9+.*-]+", what="part of a package's name")) for old, new in found.items())
    for old, new in renames:
        if not old.count("*") == new.count("*") <= 1:
            raise found[old].fail(f"{old!r} and {new!r} must have one * each, or none")
    return renames


def _service(name: str, node: Node) -> CatalogueService:
    """Raises `InvalidInput` where a key is unknown, or the name is none of a unit."""
    fields = node.fields((), ("was", "port", "path", "status", "says"))
    if not _matches(_UNIT, name):
        raise node.fail(f"{name!r} is no name of a service")
    return CatalogueService(
        name,
        was=fields["was"].text(_UNIT, what="the name of a service") if "was" in fields else "",
        port=fields["port"].number(1, _HIGHEST_PORT) if "port" in fields else 0,
        path=fields["path"].text(r"/[!-~]*", what="a path of a URL") if "path" in fields else "",
        status=fields["status"].number(100, 599) if "status" in fields else 200,
        says=fields["says"].text() if "says" in fields else "",
    )


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _stages(node: Node, services: Mapping[str, CatalogueService]) -> tuple[Stage, ...]:
    found: dict[str, Stage] = {}
    for element in node.elements():
        stage = _stage(element, services, tuple(found))
        if stage.name in found:
            raise element.items()["name"].fail(f"there is a stage {stage.name!r} before this one")
        found[stage.name] = stage
    if not found:
        raise node.fail("there must be a stage")
    return tuple(found.values())


def _stage(node: Node, services: Mapping[str, CatalogueService], before: Sequence[str]) -> Stage:
    optional = ("packages", "services", "configuration", "edits", "database", "sync", "serial", "after")
    fields = node.fields(("name", "groups", "outage", "way_back"), optional)

    def texts(key: str, pattern: str = "", what: str = "text") -> tuple[str, ...]:
        return fields[key].texts(pattern, what=what) if key in fields else ()

    stage = Stage(
        name=fields["name"].text(_WORD, what="a word of small letters, digits and hyphens"),
        groups=texts("groups", _GROUP, "the name of a group"),
        packages=texts("packages", _PATTERN, "a name or glob of packages"),
        services=tuple(
            _known(one, services) for one in (fields["services"].elements() if "services" in fields else ())
        ),
        configuration=texts("configuration", _ABSOLUTE, "an absolute path"),
        edits=tuple(_edit(one) for one in (fields["edits"].elements() if "edits" in fields else ())),
        database=fields["database"].text(_DATABASE, what="the name of a database") if "database" in fields else "",
        sync=tuple(one.text(what="a word of a command") for one in fields["sync"].elements())
        if "sync" in fields
        else (),
        serial=_serial(fields["serial"]) if "serial" in fields else "100%",
        after=tuple(_earlier(one, before) for one in (fields["after"].elements() if "after" in fields else ())),
        outage=fields["outage"].text(),
        way_back=fields["way_back"].text(),
    )
    if bool(stage.database) != bool(stage.sync):
        raise node.fail("a database and the command that migrates it (sync) belong together")
    if bool(stage.packages) == bool(stage.after):
        raise node.fail("a stage has packages, or it comes after other stages, and not both")
    return stage


def _known(node: Node, services: Mapping[str, CatalogueService]) -> CatalogueService:
    if (name := node.text()) not in services:
        raise node.fail(f"there is no service {name!r}", hint=document.nearest(name, tuple(services)))
    return services[name]


def _earlier(node: Node, before: Sequence[str]) -> str:
    if (name := node.text()) not in before:
        raise node.fail(f"there is no stage {name!r} before this one", hint=document.nearest(name, before))
    return name


def _edit(node: Node) -> Edit:
    fields = node.fields(("file", "section", "option"), ("value",))
    section, option, value = (
        fields[key].text(_PRINTABLE, what="one line of text") if key in fields else None
        for key in ("section", "option", "value")
    )
    if value:
        hint = "set it on the hosts, in a file of its own that the service reads as well"
        _refuse_secret(fields["value"], f"{option} = {value}", hint=hint)
    return Edit(fields["file"].text(_ABSOLUTE, what="an absolute path"), section or "", option or "", value)


def _refuse_secret(node: Node, text: str, *, hint: str) -> None:
    """Plans are kept and shown word for word: raises `InvalidInput` where a password would be in them."""
    if masked(text) != text:
        raise node.fail("holds a password, which would stand in plans, the journal and reports", hint=hint)


def _serial(node: Node) -> str:
    text = node.text()
    try:
        waves.sizes(text)
    except InvalidInput as refusal:
        raise node.fail(refusal.message, hint=refusal.hint) from None
    return text
