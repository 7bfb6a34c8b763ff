"""Registry: the one place that lists the package managers. Neutral code asks it for a value, and never compares names.

A manager is added here, or by `register` from outside (a test, another package).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nornir_upgrade.core.errors import InvalidInput

from . import format as formats_known
from .deb.family import APT
from .dnf.family import DNF4
from .family import Family
from .format import Format

_FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Afterwards `family_of` returns it, and hosts are probed for it before the managers that were registered earlier.

    Raises `InvalidInput` where another manager or format has the name.
    """
    if family.name in _FAMILIES:
        raise InvalidInput(f"there is a manager {family.name} already")
    if any(format.name == family.format.name and format != family.format for format in formats()):
        raise InvalidInput(f"there is another format {family.format.name} already")
    _FAMILIES[family.name] = family
    formats_known.add(family.format)


@contextmanager
def registered(family: Family) -> Iterator[Family]:
    """Within the block the manager is registered; afterwards it is not. For tests."""
    register(family)
    try:
        yield family
    finally:
        del _FAMILIES[family.name]
        if family.format not in formats():
            formats_known.remove(family.format)


def family_of(manager: str) -> Family:
    """The manager of this name. Raises `InvalidInput` naming those that are known."""
    if manager not in _FAMILIES:
        raise InvalidInput(f"{manager!r} is no package manager that is known", hint=f"one of {', '.join(_FAMILIES)}")
    return _FAMILIES[manager]


def families() -> tuple[Family, ...]:
    """All managers, in the order of their registration."""
    return tuple(_FAMILIES.values())


def probing_order() -> tuple[Family, ...]:
    """All managers, in the order in which a host is asked whether it is theirs: the last one that was registered first."""
    return tuple(reversed(families()))


def formats() -> tuple[Format, ...]:
    """The formats of all managers, each once."""
    return tuple(dict.fromkeys(family.format for family in families()))


def manager_of(format: str) -> str:
    """The manager of hosts of which only the format is known: the first that was registered with it.

    What was written before managers had names tells the format alone. Raises `InvalidInput` for a format that is none.
    """
    name = formats_known.format_of(format).name
    return next(family.name for family in families() if family.format.name == name)


def settle(value: object) -> None:
    """Afterwards `family` (a format) and `manager` of a frozen dataclass agree, for its `__post_init__`.

    The manager decides. What was written before managers had names has the format alone: its first manager is meant.
    Raises `InvalidInput` for names that are none.
    """
    manager = getattr(value, "manager") or manager_of(getattr(value, "family"))  # noqa: B009
    object.__setattr__(value, "manager", manager)
    object.__setattr__(value, "family", family_of(manager).format.name)


register(APT)
register(DNF4)
