"""Registry: the judgements. `core.packaging.registry` lists the managers; each names its judgement, and its format another."""

from collections.abc import Iterator
from functools import cache
from pkgutil import resolve_name
from typing import Any

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.format import Format, format_of
from nornir_upgrade.core.packaging.registry import families, family_of, formats

from .judgement import FormatJudgement, ManagerJudgement


def judgement_of(format: str) -> FormatJudgement:
    """The judgement of the format of this name. Raises `InvalidInput` for an unknown format, or a format without judgement."""
    place = format_of(format).judgement
    if not place:
        raise InvalidInput(f"the way back of {format} packages cannot be computed: nothing says how they are judged")
    judgement: FormatJudgement = _at(place)
    return judgement


def manager_judgement(manager: str) -> ManagerJudgement:
    """The judgement of the manager of this name. Raises `InvalidInput` for one that is none, or that rollback cannot ask."""
    place = family_of(manager).judgement
    if not place:
        raise InvalidInput(f"the way back of hosts with {manager} cannot be computed: nothing says how they are asked")
    judgement: ManagerJudgement = _at(place)
    return judgement


def tools_of(format: str) -> dict[str, ManagerJudgement]:
    """The managers of this format by what `-o` calls their commands, in the order of registration."""
    named = (family.name for family in families() if family.format.name == format and family.judgement)
    return {judgement.tool: judgement for judgement in map(manager_judgement, named)}


def judgements() -> Iterator[tuple[Format, FormatJudgement]]:
    """Each format that can be judged, in the order of registration."""
    return ((format, _at(format.judgement)) for format in formats() if format.judgement)


@cache
def _at(place: str) -> Any:
    return resolve_name(place)
