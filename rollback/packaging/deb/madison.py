"""`apt-cache madison` as text: a version and its source, a line each. Pure and strict. See apt-cache(8)."""

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version.evr import check_name, check_version
from rollback.packaging.policy import PolicyPackage, Version, VersionSource, VersionTable
from rollback.packaging.text import Text

from .apt_policy import source

HINT = "make the file anew: LC_ALL=C apt-cache madison PACKAGE..."


def parse(text: Text) -> VersionTable:
    """The versions that `text` lists, grouped by package. Versions of source packages alone (`Sources`) are left out.

    There are no installed versions, candidates and priorities. Raises `InvalidInput` with line and reason.
    """
    by_name: dict[str, dict[str, list[VersionSource]]] = {}
    for number, line in text.lines():
        if not line:
            continue
        try:
            row = _row(line)
        except InvalidInput as refusal:
            raise text.fail(number, refusal.message, HINT) from None
        if row:
            name, version, origin = row
            by_name.setdefault(name, {}).setdefault(version, []).append(origin)
    packages = tuple(
        PolicyPackage(
            name,
            None,
            None,
            tuple(Version(version, None, False, tuple(sources)) for version, sources in versions.items()),
        )
        for name, versions in by_name.items()
    )
    return VersionTable("deb", packages, text.notes())


def _row(line: str) -> tuple[str, str, VersionSource] | None:
    cells = [cell.strip() for cell in line.split(" | ")]
    if len(cells) != 3:
        raise InvalidInput(f"{len(cells)} columns instead of 3: {line.strip()!r}")
    name, version, raw = cells
    check_name(name, qualified=True)
    check_version(version)
    if raw.endswith(" Sources"):
        return None
    origin = source(None, raw)
    if origin is None:
        raise InvalidInput(f"{raw!r} is cut off")
    return name, version, origin
