"""Origins: where new versions may come from. Each manager has its own words for it: `Family.origins`. Pure."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from .model import Repository

RELEASE = ("origin", "label", "suite", "codename", "component")
"""The fields of a signed index (apt_preferences(5))."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where packages may come from, each field a glob ('': any). `origin`, `label`, `suite`, `codename` and `component` are those of an
    index; `repository` is an id, and `advisory` the kind of advisory that a package must be named in."""

    origin: str = ""
    label: str = ""
    suite: str = ""
    codename: str = ""
    component: str = ""
    repository: str = ""
    advisory: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that are given."""
        return tuple(name for name in self.__slots__ if getattr(self, name))

    def within(self, fields: tuple[str, ...]) -> bool:
        """Whether it is in the words of a manager that knows these fields."""
        return set(self.fields) <= set(fields)

    def has(self, index: Repository) -> bool:
        """Whether it means an index of apt."""
        wanted = ((getattr(index, name), getattr(self, name)) for name in RELEASE)
        return all(fnmatchcase(value, glob) for value, glob in wanted if glob)
