"""`filelists.xml`, rpm-md's list of every file of a repository's packages, with the paths that `primary.xml` omits. Strict."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from nornir_upgrade.core.packaging.rpm.dependencies import control
from rollback.packaging.candidate import Candidate, Control

from .xml import Pass

_FILELISTS = "http://linux.duke.edu/metadata/filelists"
_VERSION, _FILE = f"{_FILELISTS} version", f"{_FILELISTS} file"

Owners = Mapping[tuple[str, str, str], frozenset[str]]
"""Paths by name, architecture and version of the package that has them."""


def owners(data: bytes, source: str, paths: Collection[str]) -> Owners:
    """The packages of a `filelists.xml` with those of `paths` that they own. Raises `InvalidInput` with line and reason."""
    reader = _Filelists(source, frozenset(paths))
    reader.read(data)
    return reader.found


def left_out(path: str) -> bool:
    """Whether `primary.xml` omits that path. It lists only files below /etc, files in a directory whose name ends with bin, and
    /usr/lib/sendmail (createrepo_c(8)).
    """
    return not (path.startswith("/etc/") or "bin/" in path or path == "/usr/lib/sendmail")


def with_files(candidates: Iterable[Candidate], owned: Owners) -> Iterator[Candidate]:
    """`candidates`, each with the paths that it owns by `owned`."""
    for candidate in candidates:
        paths = owned.get((candidate.name, candidate.arch, candidate.version))
        yield replace(candidate, control=_added(candidate.control, paths)) if paths else candidate


def _added(before: Control, paths: frozenset[str]) -> Control:
    fields = {field: text.splitlines() for field, text in before}
    return control(fields | {"Files": [*fields.get("Files", ()), *sorted(paths)]})


class _Filelists(Pass):
    root, what = f"{_FILELISTS} filelists", "list of files"

    def __init__(self, source: str, paths: frozenset[str]) -> None:
        super().__init__(source)
        self.found: dict[tuple[str, str, str], frozenset[str]] = {}
        self._paths = paths
        self._package: dict[str, str] = {}
        self._mine: set[str] = set()

    def begin(self, depth: int, tag: str, attributes: dict[str, str]) -> None:
        if depth == 1:
            self._package, self._mine = dict(attributes), set()
        elif depth == 2 and tag == _VERSION:
            self._package |= attributes

    def end(self, depth: int, tag: str) -> None:
        if depth == 2 and tag == _FILE and self.text in self._paths:
            self._mine.add(self.text)
        elif depth == 1:
            self.seen += 1
            if self._mine and self._package.get("arch") not in ("src", "nosrc"):
                self._keep(self._package)

    def _keep(self, package: dict[str, str]) -> None:
        identity = self.package(package)
        key = (identity.name, identity.arch, identity.evr)
        self.found[key] = self.found.get(key, frozenset()) | self._mine
