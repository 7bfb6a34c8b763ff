"""A scenario's YAML, read: `parse` makes a `Scenario` of a document. Every error names file, line and key."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace

from nornir_upgrade.config import yaml
from nornir_upgrade.config.yaml import Node
from nornir_upgrade.core import batches
from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.packaging.registry import families
from nornir_upgrade.finding import STRICT, WAIVABLE

from .model import EVERY, OUTAGE, SERIAL, WAY_BACK, CatalogueService, Edit, Scenario, Setting, Stage
from .repositories import refuse_secret, repositories

FORMAT = "1.0"

_WORD = r"[a-z0-9][a-z0-9_-]*"
_GROUP = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
# Debian Policy 5.6.1, rpm's wider names (PyYAML, libstdc++), and glob(7)
_PATTERN = r"[A-Za-z0-9*?\[][A-Za-z0-9_+.*?\[\]!-]*"
_PACKAGE = r"[A-Za-z0-9][A-Za-z0-9_+.-]*"
_UNIT = r"[A-Za-z0-9:_.][A-Za-z0-9:_.@-]*"  # systemd.unit(5)
_DATABASE = r"[A-Za-z0-9_$][A-Za-z0-9_$-]*"
_ABSOLUTE = r"/(?!.*(?:^|/)\.\.(?:/|$))[^\0\n]*"
_ORIGIN = r"[^\x00-\x1f\x7f,\"' ][^\x00-\x1f\x7f,\"']*"
_PRINTABLE = r"[^\x00-\x1f\x7f]*"
_HIGHEST_PORT = 65535
_LONGEST_WAIT = 3600

TOP = (
    ("format", "name", "stages"),
    ("summary", "settings", "repositories", "renames", "quorums", "databases", "services", "waive"),
)
"""Keys that a scenario must have, and those that it may have. So the others."""
SETTING = (("default",), ("text",))
DATABASES = (("groups",), ("defaults_file",))
SERVICE = ((), ("was", "package", "port", "path", "status", "says", "timeout"))
STAGE = (
    ("name",),
    (
        *(
            "groups",
            "packages",
            "only_from",
            "services",
            "configuration",
            "edits",
            "database",
            "sync",
            "serial",
            "after",
        ),
        *("outage", "way_back"),
    ),
)
EDIT = (("file", "section", "option"), ("value",))
ONLY_FROM = ((), tuple(one.name for one in fields_of(Origin)))

_EXAMPLE = 'format: "1.0", name: updates, stages: [{name: all, groups: [web], packages: ["*"]}]'
_STAGE_EXAMPLE = "{name: web, groups: [web], packages: [nginx], services: [nginx]}"
_ORIGIN_EXAMPLE = '{suite: "*-security"}, or {advisory: security} for dnf'
_ADVISORIES = "security|bugfix|enhancement|newpackage"  # dnf(8)
_ONE_BY_ONE = "1"


def parse(top: Node, given: Mapping[str, str], serial: str = "") -> Scenario:
    """The scenario that a document says, with the settings `given`; `serial` goes before what its stages say. Raises as `load`."""
    keys = top.fields(*TOP, example=_EXAMPLE)
    if keys["format"].text() != FORMAT:
        raise keys["format"].fail(f"is {keys['format'].value}, and {FORMAT} is what this version reads")
    settings = _settings(keys.get("settings"), given, serial)
    values = {one.name: one.value for one in settings}
    keys = {key: node.with_variables(values) for key, node in keys.items()}
    catalogue = keys["services"].items() if "services" in keys else {}
    services = {name: _service(name, node) for name, node in catalogue.items()}
    databases = keys["databases"].fields(*DATABASES, example="{groups: [db]}") if "databases" in keys else {}
    defaults_file = databases.get("defaults_file")
    return Scenario(
        name=keys["name"].text(_WORD, what="a word of small letters, digits and hyphens"),
        summary=keys["summary"].text() if "summary" in keys else "",
        source=top.file,
        settings=settings,
        repositories=repositories(keys["repositories"]) if "repositories" in keys else (),
        renames=_renames(keys.get("renames")),
        quorums=keys["quorums"].texts(_GROUP, what="the name of a group") if "quorums" in keys else (),
        database_groups=databases["groups"].texts(_GROUP, what="the name of a group") if databases else (),
        defaults_file=defaults_file.text(f"(?:{_ABSOLUTE})?", what="an absolute path") if defaults_file else "",
        services=tuple(services.values()),
        stages=tuple(_rolled(stage, serial) for stage in _stages(keys["stages"], services)),
        waive=_waived(keys.get("waive")),
    )


def _rolled(stage: Stage, serial: str) -> Stage:
    """The stage in batches of the sizes `serial`, where that is given. One that goes one by one stays so. Raises `InvalidInput`."""
    if not serial or stage.serial == _ONE_BY_ONE:
        return stage
    batches.sizes(serial)
    return replace(stage, serial=serial)


def _settings(node: Node | None, given: Mapping[str, str], serial: str) -> tuple[Setting, ...]:
    declared = node.items() if node else {}
    given = {**given, "serial": serial} if serial and "serial" in declared else given
    for name in given:
        if name not in declared:
            raise UnknownName("setting", name, sorted(declared))
    found = []
    for name, entry in declared.items():
        fields = entry.fields(*SETTING, example="{default: bookworm, text: the old release}")
        default = fields["default"].text(_PRINTABLE, what="one line of text")
        value = given.get(name, default)
        if not value.isprintable():
            raise InvalidInput(f"--set {name}: must be one line of printable text, not {value!r}")
        found.append(Setting(name, value, fields["text"].text() if "text" in fields else ""))
    return tuple(found)


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
            raise element.fail(f"there is no finding {key!r}", hint=yaml.nearest(key, WAIVABLE))
        keys.append(key)
    return tuple(keys)


def _service(name: str, node: Node) -> CatalogueService:
    """Raises `InvalidInput` where a key is unknown, or the name is none of a unit."""
    fields = node.fields(*SERVICE, example="nginx: {port: 80, path: /, timeout: 90}")
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
        timeout=fields["timeout"].number(1, _LONGEST_WAIT) if "timeout" in fields else 30,
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
    fields = node.fields(*STAGE, example=_STAGE_EXAMPLE)

    def texts(key: str, pattern: str = "", what: str = "text") -> tuple[str, ...]:
        return fields[key].texts(pattern, what=what) if key in fields else ()

    stage = Stage(
        name=fields["name"].text(_WORD, what="a word of small letters, digits and hyphens"),
        groups=texts("groups", _GROUP, "the name of a group") if "groups" in fields else (EVERY,),
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
        serial=_serial(fields["serial"]) if "serial" in fields else SERIAL,
        after=tuple(_earlier(one, before) for one in (fields["after"].elements() if "after" in fields else ())),
        outage=fields["outage"].text() if "outage" in fields else OUTAGE,
        way_back=fields["way_back"].text() if "way_back" in fields else WAY_BACK,
        only_from=_origins(fields["only_from"]) if "only_from" in fields else (),
    )
    if bool(stage.database) != bool(stage.sync):
        raise node.fail("a database and the command that migrates it (sync) belong together")
    if bool(stage.packages) == bool(stage.after):
        hint = 'packages: ["*"] is every package'
        raise node.fail("a stage has packages, or it comes after other stages, and not both", hint=hint)
    return stage


def _origins(node: Node) -> tuple[Origin, ...]:
    """One, or a list of them. Raises `InvalidInput` where one mixes the words of two managers, and where a manager
    cannot be asked for all at once."""
    nodes = node.elements() if isinstance(node.value, Sequence) and not isinstance(node.value, str) else (node,)
    found = tuple(_origin(one) for one in nodes)
    if not found:
        raise node.fail("names no origin", hint=f"for example: {_ORIGIN_EXAMPLE}")
    for words in (family.origins for family in families()):
        if refusal := words.refusal([one for one in found if one.within(words.fields)]):
            raise node.fail(refusal)
    return found


def _origin(node: Node) -> Origin:
    fields = node.fields(*ONLY_FROM, example=_ORIGIN_EXAMPLE)
    values = {
        key: one.text(_ADVISORIES, what=_ADVISORIES.replace("|", ", "))
        if key == "advisory"
        else one.text(_ORIGIN, what="a word or glob without commas and quotes")
        for key, one in fields.items()
    }
    if not values or not any(values.keys() <= set(family.origins.fields) for family in families()):
        allowed = ", or ".join(f"words of {family.remedies.tool}" for family in families())
        raise node.fail(f"holds {allowed}", hint=f"for example: {_ORIGIN_EXAMPLE}")
    return Origin(**values)


def _known(node: Node, services: Mapping[str, CatalogueService]) -> CatalogueService:
    if (name := node.text()) not in services:
        raise node.fail(f"there is no service {name!r}", hint=yaml.nearest(name, tuple(services)))
    return services[name]


def _earlier(node: Node, before: Sequence[str]) -> str:
    if (name := node.text()) not in before:
        raise node.fail(f"there is no stage {name!r} before this one", hint=yaml.nearest(name, before))
    return name


def _edit(node: Node) -> Edit:
    fields = node.fields(*EDIT, example="{file: /etc/app.ini, section: main, option: debug, value: 'no'}")
    section, option, value = (
        fields[key].text(_PRINTABLE, what="one line of text") if key in fields else None
        for key in ("section", "option", "value")
    )
    if value:
        hint = "set it on the hosts, in a file of its own that the service reads as well"
        refuse_secret(fields["value"], f"{option} = {value}", hint=hint)
    return Edit(fields["file"].text(_ABSOLUTE, what="an absolute path"), section or "", option or "", value)


def _serial(node: Node) -> str:
    text = node.text()
    try:
        batches.sizes(text)
    except InvalidInput as refusal:
        raise node.fail(refusal.message, hint=refusal.hint) from None
    return text
