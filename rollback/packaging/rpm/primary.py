"""`primary.xml`, rpm-md's list of the packages of a repository (createrepo_c(8)), and what these demand. Strict."""

from collections.abc import Collection

from nornir_upgrade.core.packaging.rpm.dependencies import Control, RpmEntry, control

from .xml import Pass

_COMMON = "http://linux.duke.edu/metadata/common"
_RPM = "http://linux.duke.edu/metadata/rpm"
_VERSION, _NAME, _ARCH, _FILE, _SIZE, _CHECKSUM = (
    f"{_COMMON} {tag}" for tag in ("version", "name", "arch", "file", "size", "checksum")
)
_FIELDS = {f"{_RPM} {field.lower()}": field for field in ("Requires", "Provides", "Conflicts", "Obsoletes")}
_OPERATORS = {"LT": "<", "LE": "<=", "EQ": "=", "GE": ">=", "GT": ">"}


def entries(data: bytes, source: str, wanted: Collection[str] | None = None) -> tuple[RpmEntry, ...]:
    """The packages of a `primary.xml`, whose number must be the one that it declares; source packages do not count.

    Demands are read only of packages named in `wanted` (`None`: of all): a distribution has some 60,000 packages, a host one in
    forty. Raises `InvalidInput` with line and reason.
    """
    reader = _Primary(source, wanted)
    reader.read(data)
    return tuple(reader.found)


class _Primary(Pass):
    """One pass over the document, with only the current package in memory."""

    root, what = f"{_COMMON} metadata", "primary index"

    def __init__(self, source: str, wanted: Collection[str] | None) -> None:
        super().__init__(source)
        self.found: list[RpmEntry] = []
        self._wanted = wanted
        self._package: dict[str, str] = {}
        self._asked = False  # for what this package demands; its name comes first, as createrepo_c writes it
        self._fields: dict[str, list[str]] = {}

    def begin(self, depth: int, tag: str, attributes: dict[str, str]) -> None:
        if depth == 1:
            self._package, self._fields, self._asked = {"type": attributes.get("type", "")}, {}, False
        elif depth == 2 and tag == _VERSION:
            self._package |= attributes
        elif depth == 2 and tag == _SIZE:
            self._package["size"] = attributes.get("package", "")
        elif depth == 2 and tag == _CHECKSUM:
            self._package["digest"] = attributes.get("type", "")
        elif depth == 4 and self._asked and self.parent in _FIELDS:
            self._fields.setdefault(_FIELDS[self.parent], []).append(self._dependency(attributes))

    def end(self, depth: int, tag: str) -> None:
        if depth == 2 and tag == _NAME:
            self._package["name"] = self.text
            self._asked = self._wanted is None or self.text in self._wanted
        elif depth == 2 and tag == _ARCH:
            self._package["arch"] = self.text
        elif depth == 2 and tag == _CHECKSUM:
            self._package["digest"] = self.text if self._package["digest"] == "sha256" else ""
        elif depth == 3 and tag == _FILE and self._asked:
            self._fields.setdefault("Files", []).append(self.text)
        elif depth == 1:
            self.seen += 1
            self._entry(self._package, control(self._fields) if self._asked else ())

    def _dependency(self, attributes: dict[str, str]) -> str:
        """The dependency as text. A boolean dependency is written in the name."""
        if "name" not in attributes:
            raise self.fail("a dependency without name")
        if "flags" not in attributes:
            return attributes["name"]
        if attributes["flags"] not in _OPERATORS or not attributes.get("ver"):
            raise self.fail(f"no range of versions: {attributes}")
        epoch = f"{attributes['epoch']}:" if attributes.get("epoch", "0") != "0" else ""
        release = f"-{attributes['rel']}" if attributes.get("rel") else ""
        return f"{attributes['name']} {_OPERATORS[attributes['flags']]} {epoch}{attributes['ver']}{release}"

    def _entry(self, package: dict[str, str], fields: Control) -> None:
        if package["type"] != "rpm" or package.get("arch") in ("src", "nosrc"):
            return
        identity = self.package(package)
        size = package.get("size", "")
        if size and not (size.isascii() and size.isdecimal()):
            raise self.fail(f"no size of a package: {size[:80]!r}")
        self.found.append(
            RpmEntry(identity.name, identity.arch, identity.evr, fields, package.get("digest", ""), int(size or 0))
        )
