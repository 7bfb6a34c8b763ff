"""Policy source: who offers a version, as `apt-cache policy` and `apt-cache madison` write it (apt-cache(8)). Pure and strict."""

import re
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version.evr import check_arch

# The address of a CD holds blanks in brackets. A flat repository has no suite, apt before 1.0 names no architecture.
_ADDRESS = re.compile(r"(?P<uri>(?:\[[^\]]*\]|\S)+)(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class PolicySource:
    """An index. `suite` is suite and component as apt writes them (`bookworm/main`). '' is what apt does not say; of a local file (a
    package file, dpkg's status) it says the path alone, as `uri`.
    """

    uri: str
    suite: str = ""
    arch: str = ""

    @property
    def local(self) -> bool:
        """Whether it is a file of the host."""
        return self.uri.startswith("/")


def read(raw: str) -> PolicySource | None:
    """The source that `raw`, a line without its priority, describes; `None` where it stops after the address.

    Raises `InvalidInput` for anything else.
    """
    if raw.startswith("/"):
        return PolicySource(raw)
    match = _ADDRESS.fullmatch(raw)
    words = match["rest"].split() if match else []
    if match and not words:
        return None
    if not match or words[-1].lower() != "packages" or len(words) > 3:
        raise InvalidInput(f"{raw!r} is no source of packages")
    suite, arch = (*words[:-1], "", "")[:2]
    return PolicySource(match["uri"], suite, check_arch(arch) if arch else "")
