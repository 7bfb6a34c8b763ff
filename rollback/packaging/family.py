"""What the fields of a package name of others, by family: for lists that are only a part of what a machine has. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from nornir_upgrade.core.packaging.deb.dependencies import Relation, relations
from nornir_upgrade.core.packaging.rpm.dependencies import RPMLIB, names_in
from nornir_upgrade.core.packaging.rpm.rich_dependencies import Dependency, parse

from .candidate import Control
from .listing import Family


class Demands(Protocol):
    """How the packages of a family speak of others. `any_arch` is what is for all architectures, `tool` who brings along what
    is not listed.
    """

    any_arch: str
    tool: str

    def provided(self, control: Control) -> Iterator[str]:
        """The names by which others may ask for the package, beside its own."""
        ...

    def within(self, control: Control, known: Collection[str]) -> Control:
        """`control` without what it demands of packages of which nothing is known."""
        ...

    def beyond(self, control: Control, known: Collection[str]) -> Iterator[str]:
        """What it demands of these, by name."""
        ...

    def for_others(self, control: Control) -> Control:
        """What a package is for others, which hardly changes from one version to the next; and no demands."""
        ...


class _Deb:
    any_arch, tool = "all", "apt"
    _demands = ("Pre-Depends", "Depends")
    _offers = ("Multi-Arch", "Provides")

    def provided(self, control: Control) -> Iterator[str]:
        return (given.name for group in relations(dict(control).get("Provides", "")) for given in group)

    def within(self, control: Control, known: Collection[str]) -> Control:
        return tuple(
            (field, self._kept(text, known)) if field in self._demands else (field, text) for field, text in control
        )

    def beyond(self, control: Control, known: Collection[str]) -> Iterator[str]:
        for field, text in control:
            if field in self._demands:
                yield from (group[0].name for group in relations(text) if not any(one.name in known for one in group))

    def for_others(self, control: Control) -> Control:
        return tuple((field, text) for field, text in control if field in self._offers)

    def _kept(self, text: str, known: Collection[str]) -> str:
        return ", ".join(" | ".join(map(str, group)) for group in relations(text) if _all(group, known))


class _Rpm:
    any_arch, tool = "noarch", "dnf"

    def provided(self, control: Control) -> Iterator[str]:
        fields = dict(control)
        yield from (line.partition(" ")[0] for line in fields.get("Provides", "").splitlines())
        yield from fields.get("Files", "").splitlines()

    def within(self, control: Control, known: Collection[str]) -> Control:
        return tuple(
            (field, self._kept(text, known)) if field == "Requires" else (field, text) for field, text in control
        )

    def beyond(self, control: Control, known: Collection[str]) -> Iterator[str]:
        for one in _requires(dict(control).get("Requires", "")):
            yield from (name for name in names_in(one) if name not in known)

    def for_others(self, control: Control) -> Control:
        """Provided without version, which meets every one: the versions of another version would be wrong."""
        names = dict.fromkeys(line.partition(" ")[0] for line in dict(control).get("Provides", "").splitlines())
        files = ((field, text) for field, text in control if field == "Files")
        return (*files, ("Provides", "\n".join(names)))

    def _kept(self, text: str, known: Collection[str]) -> str:
        return "\n".join(str(one) for one in _requires(text) if all(name in known for name in names_in(one)))


DEMANDS: Mapping[Family, Demands] = {"deb": _Deb(), "rpm": _Rpm()}


def _all(group: Iterable[Relation], known: Collection[str]) -> bool:
    return all(one.name in known for one in group)


def _requires(text: str) -> Iterator[Dependency]:
    return (parse(line) for line in text.splitlines() if not line.startswith(RPMLIB))
