"""Origins: where new versions may come from, in the words of apt (apt_preferences(5)) and of dnf (dnf(8)). Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .family import Name
from .model import Repository

_FIELDS = (("origin", "o"), ("label", "l"), ("suite", "a"), ("codename", "n"), ("component", "c"))
"""The fields of an index, and their letters in a pin."""

# An installed package is upgraded only to what has at least the priority of the installed version, 100; below that a new one still
# comes where another needs it, and rather from a repository that has its full priority otherwise.
_USUAL, _INSTALLED, _LOWERED, _LOWEST = 500, 100, 90, 50
_PLAIN = '",'
"""What no field of a pin can hold."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where packages may come from, each field a glob ('': any): of apt `origin`, `label`, `suite`, `codename`, `component`; of dnf
    `repository`, an id, and `advisory`, the kind of advisory that a package must be named in."""

    origin: str = ""
    label: str = ""
    suite: str = ""
    codename: str = ""
    component: str = ""
    repository: str = ""
    advisory: str = ""

    @property
    def family(self) -> Name:
        """Whose words it is in."""
        return "rpm" if self.repository or self.advisory else "deb"

    def has(self, index: Repository) -> bool:
        """Whether it means an index of apt."""
        wanted = ((getattr(index, name), getattr(self, name)) for name, _ in _FIELDS)
        return all(fnmatchcase(value, glob) for value, glob in wanted if glob)


def preferences(origins: Sequence[Origin], indexes: Iterable[Repository]) -> str:
    """A file of apt_preferences(5) with which installed packages are upgraded to versions of `origins` alone.

    `indexes`, those that the host has, keep their own priorities where they are meant. Of several general pins the first counts, and
    any that names a package counts before them.
    """
    pins = [_pin("release a=now", _INSTALLED)]
    for index in indexes:
        if fields := _fields(index):
            meant = any(one.has(index) for one in origins)
            pins.append(_pin(f"release {fields}", index.priority if meant else _lowered(index.priority)))
    pins += [_pin(f"release {_globs(one)}", _USUAL) for one in origins]
    pins.append(_pin("origin *", _LOWEST))
    return "\n".join(dict.fromkeys(pins))


def options(origins: Iterable[Origin]) -> str:
    """The words of dnf with which it takes packages of `origins` alone."""
    return " ".join(dict.fromkeys(word for one in origins for word in _words(one)))


def _words(one: Origin) -> Iterator[str]:
    if one.repository:
        yield f"--repo={one.repository}"
    if one.advisory:
        yield f"--{one.advisory}"


def _lowered(priority: int) -> int:
    return _LOWERED if priority >= _USUAL else min(priority, _LOWEST)


def _fields(index: Repository) -> str:
    """What tells an index from others; '' where a pin cannot say it."""
    values = {letter: getattr(index, name) for name, letter in _FIELDS}
    if any(character in value for value in values.values() for character in _PLAIN):
        return ""
    return ",".join(f"{letter}={value}" for letter, value in values.items() if value)


def _globs(one: Origin) -> str:
    return ",".join(f"{letter}={glob}" for name, letter in _FIELDS if (glob := getattr(one, name)))


def _pin(what: str, priority: int) -> str:
    return f"Package: *\nPin: {what}\nPin-Priority: {priority}\n"
