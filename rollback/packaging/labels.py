"""Labels: the names of a repository (parts of its path, suite, component, codename), by which a release is recognised. Pure."""

import re

_PATH = re.compile(r"[^:/]*:(?://[^/]*)?(?P<path>/[^?#]*)")


ABOUT = ("DESCRIPTION", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN", "LABEL", "SUITE", "CODENAME")
"""What apt says of an index (apt-get(8), indextargets): how it calls it, then what the repository goes by. dnf's say the same."""


def path_labels(address: str, suite: str) -> tuple[str, ...]:
    """The parts of the path of a repository's address, then those of a suite (`precise-updates/grizzly/main`)."""
    match = _PATH.match(address)
    return tuple(part for part in f"{match['path'] if match else ''}/{suite}".split("/") if part and part != ".")
