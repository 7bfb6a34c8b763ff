"""Registry: the judgement of each format. `core.packaging.registry` lists the managers; each one's format names its judgement."""

from collections.abc import Iterator
from functools import cache
from pkgutil import resolve_name

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.format import Format, format_of
from nornir_upgrade.core.packaging.registry import formats

from .judgement import FormatJudgement


def judgement_of(format: str) -> FormatJudgement:
    """The judgement of the format of this name. Raises `InvalidInput` for an unknown format, or a format without judgement."""
    place = format_of(format).judgement
    if not place:
        raise InvalidInput(f"the way back of {format} packages cannot be computed: nothing says how they are judged")
    return _at(place)


def judgements() -> Iterator[tuple[Format, FormatJudgement]]:
    """Each format that can be judged, in the order of registration."""
    return ((format, _at(format.judgement)) for format in formats() if format.judgement)


@cache
def _at(place: str) -> FormatJudgement:
    judgement: FormatJudgement = resolve_name(place)
    return judgement
