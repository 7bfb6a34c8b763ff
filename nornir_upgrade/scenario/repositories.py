"""The repositories of a scenario's YAML, read: files that come and go, and suites that change in place."""

from fnmatch import fnmatchcase

from nornir_upgrade.config import yaml
from nornir_upgrade.config.yaml import Node
from nornir_upgrade.core.packaging.family import RepositoryFiles
from nornir_upgrade.core.packaging.registry import families, formats
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


def repositories(node: Node) -> tuple[Repositories, ...]:
    """Those of each format; keys without a format are of the first one. Raises `InvalidInput` as `Node`."""
    found, names = node.items(), tuple(format.name for format in formats())
    if found.keys() & set(KEYS):
        return (_of_format(names[0], node),)
    if not found:
        hint = f"{yaml.nearest('', names)}; for example: {EXAMPLE}"
        raise node.fail("must hold old and new, or these for each family", hint=hint)
    chosen = node.fields((), names, example=EXAMPLE)
    return tuple(_of_format(name, chosen[name]) for name in names if name in chosen)


def _of_format(format: str, node: Node) -> Repositories:
    """Raises `InvalidInput` where managers of this format do not have what is asked for."""
    kind = _files(format)
    fields = node.fields((), KEYS, example=EXAMPLE)
    if "rewrite" in fields and not kind.rewritable:
        raise fields["rewrite"].fail("suites are apt's; name an old and a new file")
    old = _old(kind, fields["old"]) if "old" in fields else None
    new = _new(kind, fields["new"]) if "new" in fields else None
    found = Repositories(format, old, new, _rewrites(kind, fields.get("rewrite")))
    if new and new.path == kind.main and not found.in_place:
        hint = f"{kind.main} can be replaced: name it as the old file as well"
        raise fields["new"].fail(f"must be a file in {kind.directory}", hint=hint)
    if found.in_place and not kind.in_place:
        raise fields["new"].fail("must be another file than the old one", hint=kind.refusal)
    return found


def _files(format: str) -> RepositoryFiles:
    """The files of repositories of the first manager with this format."""
    return next(family.repositories for family in families() if family.format.name == format)


def _old(kind: RepositoryFiles, node: Node) -> RepositoryFile:
    return RepositoryFile(node.fields(OLD, example=EXAMPLE)["path"].text(kind.path, what=kind.what))


def _new(kind: RepositoryFiles, node: Node) -> RepositoryFile:
    fields = node.fields(NEW, example=EXAMPLE)
    text = fields["text"].text()
    refuse_secret(fields["text"], text, hint=f"name the site alone here, and its password on the hosts: {kind.secret}")
    return RepositoryFile(fields["path"].text(kind.path, what=kind.what), text)


def _rewrites(kind: RepositoryFiles, node: Node | None) -> tuple[Rewrite, ...]:
    return tuple(_rewrite(kind, one) for one in node.elements()) if node else ()


def _rewrite(kind: RepositoryFiles, node: Node) -> Rewrite:
    """Raises `InvalidInput` where a new suite is an old one as well: done twice, it would be another."""
    fields = node.fields(REWRITE, example=_REWRITE_EXAMPLE)
    named = fields["suites"].items()
    suites = tuple((one.expanded(old), one.text(_SUITE, what="the name of a suite")) for old, one in named.items())
    for (old, new), one in zip(suites, named.values(), strict=True):
        if not old.count("*") == new.count("*") <= 1:
            raise one.fail(f"{old!r} and {new!r} must have one * each, or none")
        if any(fnmatchcase(new, other) for other, _ in suites):
            raise one.fail(f"{new!r} is an old suite as well")
    if not suites:
        raise fields["suites"].fail("names no suite", hint=f"for example: {_REWRITE_EXAMPLE}")
    return Rewrite(fields["path"].text(kind.rewritable, what=kind.rewritable_what), suites)


def refuse_secret(node: Node, text: str, *, hint: str) -> None:
    """Plans are kept and shown word for word: raises `InvalidInput` where a password would be in them."""
    if masked(text) != text:
        raise node.fail("holds a password, which would stand in plans, the journal and reports", hint=hint)
