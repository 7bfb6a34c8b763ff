"""A scenario's YAML, read: `parse` makes a `Scenario` of a document. Every error names file, line and key."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import document, waves
from .core.errors import InvalidInput, UnknownName
from .core.families import Name
from .core.masking import masked
from .document import Node
from .finding import STRICT, WAIVABLE
from .scenario import CatalogueService, Edit, Repositories, RepositoryFile, Scenario, Setting, Stage

FORMAT = "1.0"

_WORD = r"[a-z0-9][a-z0-9_-]*"
_GROUP = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
# Debian Policy 5.6.1, rpm's wider names (PyYAML, libstdc++), and glob(7)
_PATTERN = r"[A-Za-z0-9*?\[][A-Za-z0-9_+.*?\[\]!-]*"
_PACKAGE = r"[A-Za-z0-9][A-Za-z0-9_+.-]*"
_UNIT = r"[A-Za-z0-9:_.][A-Za-z0-9:_.@-]*"  # systemd.unit(5)
_DATABASE = r"[A-Za-z0-9_$][A-Za-z0-9_$-]*"
_ABSOLUTE = r"/(?!.*(?:^|/)\.\.(?:/|$))[^\0\n]*"
_PRINTABLE = r"[^\x00-\x1f\x7f]*"
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a family's files of repositories are called, and where a password is held that they need."""

    path: str
    what: str
    secret: str


_FAMILIES: Mapping[Name, _Kind] = {
    "deb": _Kind(
        r"/etc/apt/sources\.list\.d/[A-Za-z0-9_.-]+\.(?:list|sources)",  # sources.list(5)
        "a file that apt reads in /etc/apt/sources.list.d",
        "apt_auth.conf(5)",
    ),
    "rpm": _Kind(
        r"/etc/yum\.repos\.d/[A-Za-z0-9_.-]+\.repo",  # dnf.conf(5), reposdir
        "a file that dnf reads in /etc/yum.repos.d",
        "as a variable in /etc/dnf/vars, dnf.conf(5)",
    ),
}


def parse(top: Node, given: Mapping[str, str]) -> Scenario:
    """The scenario that a document says, with the settings `given`. Raises as `load`."""
    keys = top.fields(
        ("format", "name", "summary", "repositories", "services", "stages"),
        ("settings", "renames", "quorums", "databases", "waive"),
    )
    if keys["format"].text() != FORMAT:
        raise keys["format"].fail(f"is {keys['format'].value}, and {FORMAT} is what this version reads")
    settings = _settings(keys.get("settings"), given)
    values = {one.name: one.value for one in settings}
    keys = {key: node.with_variables(values) for key, node in keys.items()}
    services = {name: _service(name, node) for name, node in keys["services"].items().items()}
    databases = keys["databases"].fields(("groups",), ("defaults_file",)) if "databases" in keys else {}
    defaults_file = databases.get("defaults_file")
    return Scenario(
        name=keys["name"].text(_WORD, what="a word of small letters, digits and hyphens"),
        summary=keys["summary"].text(),
        source=top.file,
        settings=settings,
        repositories=_repositories(keys["repositories"]),
        renames=_renames(keys.get("renames")),
        quorums=keys["quorums"].texts(_GROUP, what="the name of a group") if "quorums" in keys else (),
        database_groups=databases["groups"].texts(_GROUP, what="the name of a group") if databases else (),
        defaults_file=defaults_file.text(f"(?:{_ABSOLUTE})?", what="an absolute path") if defaults_file else "",
        services=tuple(services.values()),
        stages=_stages(keys["stages"], services),
        waive=_waived(keys.get("waive")),
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


def _repositories(node: Node) -> tuple[Repositories, ...]:
    """Those of each family; `old` and `new` without one are Debian's."""
    found = node.items()
    if {"old", "new"} & found.keys():
        return (_of_family("deb", node),)
    if not found:
        raise node.fail("must hold old and new, or these for each family", hint=document.nearest("", _FAMILIES))
    chosen = node.fields((), tuple(_FAMILIES))
    return tuple(_of_family(family, chosen[family]) for family in _FAMILIES if family in chosen)


def _of_family(family: Name, node: Node) -> Repositories:
    kind, fields = _FAMILIES[family], node.fields(("old", "new"))
    old, new = fields["old"].fields(("path",)), fields["new"].fields(("path", "text"))
    text = new["text"].text()
    hint = f"name the site alone here, and its password on the hosts: {kind.secret}"
    _refuse_secret(new["text"], text, hint=hint)
    return Repositories(
        family,
        RepositoryFile(old["path"].text(kind.path, what=kind.what)),
        RepositoryFile(new["path"].text(kind.path, what=kind.what), text),
    )


def _renames(node: Node | None) -> tuple[tuple[str, str], ...]:
    """Raises `InvalidInput` where one of the names has a `*` and the other has none, or has two."""
    found = node.items() if node else {}
    renames = tuple(
        (old, new.text(r"[A-Za-z0-9_+.*-]+", what="part of a package's name")) for old, new in found.items()
    )
    for old, new in renames:
        if not old.count("*") == new.count("*") <= 1:
            raise found[old].fail(f"{old!r} and {new!r} must have one * each, or none")
    return renames


def _waived(node: Node | None) -> tuple[str, ...]:
    """Raises `InvalidInput` where a key is none of a finding, or of one that nothing goes past."""
    keys = []
    for element in node.elements() if node else ():
        key = element.text()
        if key in STRICT:
            raise element.fail(f"{key!r} cannot be waived: without it being mended nothing can be done")
        if key not in WAIVABLE:
            raise element.fail(f"there is no finding {key!r}", hint=document.nearest(key, WAIVABLE))
        keys.append(key)
    return tuple(keys)


def _service(name: str, node: Node) -> CatalogueService:
    """Raises `InvalidInput` where a key is unknown, or the name is none of a unit."""
    fields = node.fields((), ("was", "package", "port", "path", "status", "says"))
    if not _matches(_UNIT, name):
        raise node.fail(f"{name!r} is no name of a service")
    return CatalogueService(
        name,
        was=fields["was"].text(_UNIT, what="the name of a service") if "was" in fields else "",
        package=fields["package"].text(_PACKAGE, what="the name of a package") if "package" in fields else "",
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
