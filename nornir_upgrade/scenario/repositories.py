"""Repositories: the part of a scenario's YAML about repository files to add or remove, and suites to replace in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nornir_upgrade.config import yaml
from nornir_upgrade.config.yaml import Node
from nornir_upgrade.core.packaging.family import Name
from nornir_upgrade.core.redaction import masked

from .model import Repositories, RepositoryFile, Rewrite

KEYS = ("old", "new", "rewrite")
OLD, NEW, REWRITE = ("path",), ("path", "text"), ("path", "suites")
EXAMPLE = (
    "deb: {old: {path: /etc/apt/sources.list.d/old.list}, "
    'new: {path: /etc/apt/sources.list.d/new.list, text: "deb http://archive.example/ new main"}}'
)
_REWRITE_EXAMPLE = '{path: "/etc/apt/sources.list*", suites: {bookworm: trixie, "bookworm-*": "trixie-*"}}'
_SUITE = r"[A-Za-z0-9*][A-Za-z0-9*_./-]*"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A family's repository files: the pattern of their paths, the same in words, and the place for a `secret` that they need."""

    path: str
    what: str
    secret: str


_FAMILIES: Mapping[Name, _Kind] = {
    "deb": _Kind(
        r"/etc/apt/(?:sources\.list|sources\.list\.d/[A-Za-z0-9_.-]+\.(?:list|sources))",  # sources.list(5)
        "a file that apt reads: /etc/apt/sources.list, or one in /etc/apt/sources.list.d",
        "apt_auth.conf(5)",
    ),
    "rpm": _Kind(
        r"/etc/yum\.repos\.d/[A-Za-z0-9_.-]+\.repo",  # dnf.conf(5), reposdir
        "a file that dnf reads in /etc/yum.repos.d",
        "as a variable in /etc/dnf/vars, dnf.conf(5)",
    ),
}
_MAIN = "/etc/apt/sources.list"
_REWRITTEN = r"/etc/apt/sources\.list[A-Za-z0-9_./*?-]*"


def repositories(node: Node) -> tuple[Repositories, ...]:
    """The repositories of each family; without the key of a family, they are apt's. Raises `InvalidInput` as `Node`."""
    entries = node.items()
    if entries.keys() & set(KEYS):
        return (_of_family("deb", node),)
    if not entries:
        hint = f"{yaml.nearest('', _FAMILIES)}; for example: {EXAMPLE}"
        raise node.fail("must hold old and new, or these for each family", hint=hint)
    families = node.fields((), tuple(_FAMILIES), example=EXAMPLE)
    return tuple(_of_family(family, families[family]) for family in _FAMILIES if family in families)


def _of_family(family: Name, node: Node) -> Repositories:
    """Raises `InvalidInput` for keys and paths that the family does not allow."""
    fields = node.fields((), KEYS, example=EXAMPLE)
    if "rewrite" in fields and family != "deb":
        raise fields["rewrite"].fail("suites are apt's; name an old and a new file")
    old = _old(family, fields["old"]) if "old" in fields else None
    new = _new(family, fields["new"]) if "new" in fields else None
    change = Repositories(family, old, new, _rewrites(fields.get("rewrite")))
    if new and new.path == _MAIN and not change.in_place:
        hint = f"{_MAIN} can be replaced: name it as the old file as well"
        raise fields["new"].fail("must be a file in /etc/apt/sources.list.d", hint=hint)
    if change.in_place and family != "deb":
        hint = "two files may not name one repository at the same time, and the old one is kept until all is done"
        raise fields["new"].fail("must be another file than the old one", hint=hint)
    return change


def _old(family: Name, node: Node) -> RepositoryFile:
    kind = _FAMILIES[family]
    return RepositoryFile(node.fields(OLD, example=EXAMPLE)["path"].text(kind.path, what=kind.what))


def _new(family: Name, node: Node) -> RepositoryFile:
    kind, fields = _FAMILIES[family], node.fields(NEW, example=EXAMPLE)
    text = fields["text"].text()
    refuse_secret(fields["text"], text, hint=f"name the site alone here, and its password on the hosts: {kind.secret}")
    return RepositoryFile(fields["path"].text(kind.path, what=kind.what), text)


def _rewrites(node: Node | None) -> tuple[Rewrite, ...]:
    return tuple(_rewrite(one) for one in node.elements()) if node else ()


def _rewrite(node: Node) -> Rewrite:
    """Raises `InvalidInput` if a new suite is an old one as well: a second rewrite would replace it again."""
    fields = node.fields(REWRITE, example=_REWRITE_EXAMPLE)
    nodes = fields["suites"].items()
    suites = tuple((new.expanded(old), new.text(_SUITE, what="the name of a suite")) for old, new in nodes.items())
    for (old, new), entry in zip(suites, nodes.values(), strict=True):
        if not old.count("*") == new.count("*") <= 1:
            raise entry.fail(f"{old!r} and {new!r} must have one * each, or none")
        if any(fnmatchcase(new, other) for other, _ in suites):
            raise entry.fail(f"{new!r} is an old suite as well")
    if not suites:
        raise fields["suites"].fail("names no suite", hint=f"for example: {_REWRITE_EXAMPLE}")
    what = "a path of apt's source files, or a glob of them"
    return Rewrite(fields["path"].text(_REWRITTEN, what=what), suites)


def refuse_secret(node: Node, text: str, *, hint: str) -> None:
    """Raises `InvalidInput` if `text` holds a password: plans are stored and shown verbatim."""
    if masked(text) != text:
        raise node.fail("holds a password, which would be in plans, the journal and reports", hint=hint)
