"""Demands of rpm packages on others, as names, for lists with only a part of the packages of a machine. Pure."""

from collections.abc import Collection, Iterator

from nornir_upgrade.core.packaging.rpm.dependencies import RPMLIB, names_in
from nornir_upgrade.core.packaging.rpm.rich_dependencies import Dependency, parse
from rollback.packaging.candidate import Control


class RpmDemands:
    """The `Demands` of rpm."""

    def provided(self, control: Control) -> Iterator[str]:
        fields = dict(control)
        yield from (line.partition(" ")[0] for line in fields.get("Provides", "").splitlines())
        yield from fields.get("Files", "").splitlines()

    def within(self, control: Control, known: Collection[str]) -> Control:
        return tuple(
            (field, self._kept(text, known)) if field == "Requires" else (field, text) for field, text in control
        )

    def beyond(self, control: Control, known: Collection[str]) -> Iterator[str]:
        for dependency in _requires(dict(control).get("Requires", "")):
            yield from (name for name in names_in(dependency) if name not in known)

    def for_others(self, control: Control) -> Control:
        """Provided without version, which meets every one: the versions of another version would be wrong."""
        names = dict.fromkeys(line.partition(" ")[0] for line in dict(control).get("Provides", "").splitlines())
        files = ((field, text) for field, text in control if field == "Files")
        return (*files, ("Provides", "\n".join(names)))

    def _kept(self, text: str, known: Collection[str]) -> str:
        return "\n".join(
            str(dependency) for dependency in _requires(text) if all(name in known for name in names_in(dependency))
        )


def _requires(text: str) -> Iterator[Dependency]:
    return (parse(line) for line in text.splitlines() if not line.startswith(RPMLIB))
