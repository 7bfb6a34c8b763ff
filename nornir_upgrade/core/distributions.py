"""Versions of what is installed, as pip recorded them."""

import re
import sys
from pathlib import Path


def version(name: str) -> str:
    """As `importlib.metadata.version`, which parses a distribution's whole description for this one word, and imports what parses
    mails for that. The name of the folder tells it: "Recording installed projects" in the Python packaging specifications.

    Raises `importlib.metadata.PackageNotFoundError`.
    """
    folder = re.sub(r"[-_.]+", "_", name).lower()
    for place in sys.path:
        for found in Path(place).glob(f"{folder}-*.dist-info"):
            return found.stem.partition("-")[2]
    from importlib.metadata import distribution

    return distribution(name).version
