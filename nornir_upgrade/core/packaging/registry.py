"""Registry: the one place that lists the formats of packages."""

from . import format as formats_known
from .deb.family import DEB
from .format import Format
from .rpm.format import RPM


def formats() -> tuple[Format, ...]:
    """All formats."""
    return (DEB, RPM)


for _format in formats():
    formats_known.add(_format)
