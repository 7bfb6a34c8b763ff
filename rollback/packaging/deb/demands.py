"""Demands of Debian packages on others, as names, for lists with only a part of the packages of a machine. Pure."""

from collections.abc import Collection, Iterable, Iterator

from nornir_upgrade.core.packaging.deb.dependencies import Relation, relations
from rollback.packaging.candidate import Control


class DebDemands:
    """The `Demands` of deb."""

    _demands = ("Pre-Depends", "Depends")
    _offers = ("Multi-Arch", "Provides")

    def provided(self, control: Control) -> Iterator[str]:
        return (relation.name for group in relations(dict(control).get("Provides", "")) for relation in group)

    def within(self, control: Control, known: Collection[str]) -> Control:
        return tuple(
            (field, self._kept(text, known)) if field in self._demands else (field, text) for field, text in control
        )

    def beyond(self, control: Control, known: Collection[str]) -> Iterator[str]:
        for field, text in control:
            if field in self._demands:
                yield from (
                    group[0].name for group in relations(text) if not any(relation.name in known for relation in group)
                )

    def for_others(self, control: Control) -> Control:
        return tuple((field, text) for field, text in control if field in self._offers)

    def _kept(self, text: str, known: Collection[str]) -> str:
        return ", ".join(" | ".join(map(str, group)) for group in relations(text) if _all(group, known))


def _all(group: Iterable[Relation], known: Collection[str]) -> bool:
    return all(relation.name in known for relation in group)
