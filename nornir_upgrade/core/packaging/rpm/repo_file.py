"""Files of repositories as dnf and yum read them (dnf.conf(5), REPO OPTIONS). Pure."""

import re
from collections.abc import Iterator
from configparser import Error, RawConfigParser

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Repository

_ID = re.compile(r"[\w][\w.:-]*", re.ASCII)  # nothing that dnf reads as a pattern or an option
_LOGIN = re.compile(r"//[^/@\s]*@")  # a name and a password are nobody else's business
_PRIORITY = 99  # dnf.conf(5), `priority`


def enabled(text: str) -> tuple[str, ...]:
    """The ids of the repositories that the file enables. Raises `InvalidInput` where it is none."""
    return tuple(repository.suite for repository in repositories(text))


def repositories(text: str, arch: str = "") -> tuple[Repository, ...]:
    """The repositories that are enabled, sorted, each with its address as the file has it, without a login.

    `$releasever` and other variables stay as they are: only dnf itself knows what they stand for. Raises `InvalidInput`.
    """
    # A section that stands in two files is one repository to dnf, too: the options of both.
    reader = RawConfigParser(strict=False, interpolation=None)
    try:
        reader.read_string(text)
        return tuple(sorted(_enabled(reader, arch), key=lambda repository: (repository.uri, repository.suite)))
    except (Error, ValueError) as error:
        raise InvalidInput(f"no file of repositories: {str(error).splitlines()[0]}") from None


def _enabled(reader: RawConfigParser, arch: str) -> Iterator[Repository]:
    for name in reader.sections():
        options = reader[name]
        if name == "main" or not options.getboolean("enabled", True):
            continue
        if not _ID.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a repository")
        uri = next((options[key] for key in ("baseurl", "mirrorlist", "metalink") if options.get(key)), "")
        priority = options.getint("priority", _PRIORITY)
        yield Repository(priority, _LOGIN.sub("//", " ".join(uri.split())), name, "", arch)
