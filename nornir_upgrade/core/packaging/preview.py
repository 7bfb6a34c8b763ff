"""Preview: what a host's own package manager would do with other repositories. The host does not change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nornir_upgrade.core.errors import CommandFailed, Failure, InvalidInput, NoSolution, Unobtainable
from nornir_upgrade.core.transport import disk
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.transport.sections import Section, new_boundary, split
from nornir_upgrade.core.transport.unreadable import unreadable

from .family import Family
from .model import Package, Transaction
from .registry import family_of

EVERYTHING = ("*",)
"""The request for every package of the host at its candidate: new packages may be installed, and conflicting ones removed."""

_TIMEOUT = 600.0  # seconds: indexes are fetched


def preview(
    host: Host,
    repositories: Mapping[str, str],
    requests: Mapping[str, Sequence[str]],
    narrow: Mapping[str, str] | None = None,
    *,
    manager: str = "apt",
) -> Mapping[str, Transaction]:
    """What installing each of `requests` would do on `host` with the files `repositories` (path -> text) among its sources.

    A request is names, each to be at its candidate version, or `name=version`, or `old>new`, the new name where a repository has it,
    or `EVERYTHING`. `narrow` (of `origins`) keeps a request to some origins. Nothing on the host changes.
    Raises `Unobtainable` naming the packages that no index has, or the index that cannot be fetched; `NoSolution` when a request
    cannot be met.
    """
    family = family_of(manager)
    asked = family.preview
    words = {name: " ".join(_checked(request, family)) for name, request in requests.items()}
    arguments = [text for path, content in repositories.items() for text in (asked.file_name(path), content)]
    argv = ("sh", "-c", asked.SCRIPT, "sh", new_boundary(), asked.FORMAT, str(len(repositories)), *arguments)
    asking = [word for name, request in words.items() for word in (request, (narrow or {}).get(name, ""))]
    result = host.run((*argv, *asking), timeout=_TIMEOUT)
    try:
        return _read(host, result, argv[4], words, family)
    except InvalidInput as refusal:
        raise unreadable(host.name, f"what {asked.REHEARSAL} says", refusal, result.errors) from None


def _read(
    host: Host, result: Result, boundary: str, words: Mapping[str, str], family: Family
) -> Mapping[str, Transaction]:
    asked, sections = family.preview, split(result.text, boundary)
    for section in sections.values():
        disk.refuse_full(host.name, section.status, section.said)
    if sections["update"].status != 0:
        failure = _failure(host, sections["update"], f"{asked.UPDATE} with the new repositories", family)
        hint = "nothing was changed; see the repository's address, and its key on the host"
        raise Unobtainable(failure.message, hint=hint) if isinstance(failure, CommandFailed) else failure
    packages = asked.present(sections)
    return {
        name: _told_why(
            _transaction(host, sections[str(number)], name, packages, family),
            asked.excluders(sections[f"{number} excluders"]) if f"{number} excluders" in sections else {},
        )
        for number, name in enumerate(words)
    }


def _told_why(transaction: Transaction, excluders: Mapping[str, Sequence[str]]) -> Transaction:
    """`transaction`, with the new packages that conflict with removed ones."""
    gone = [change.name for change in transaction.changes if not change.new and change.name in excluders]
    return replace(transaction, excluders=tuple((name, ", ".join(excluders[name])) for name in gone))


def _transaction(
    host: Host, section: Section, request: str, packages: Sequence[Package], family: Family
) -> Transaction:
    if section.status != 0:
        failure = _failure(host, section, f"{family.preview.REHEARSAL} for {request}", family)
        hint = f"nothing was changed; on the host: {family.preview.WAY_OUT}"
        raise NoSolution(failure.message, hint=hint) if isinstance(failure, CommandFailed) else failure
    return family.manager.parse_simulation(section.text, packages)


def _failure(host: Host, section: Section, command: str, family: Family) -> Failure:
    output, errors = (text.encode("utf-8", "surrogateescape") for text in (section.text, section.errors))
    return family.transactions.failure(host.name, Result(section.status, output, errors), command)


def _checked(request: Sequence[str], family: Family) -> Sequence[str]:
    """Raises `InvalidInput` for what is no name or version: a package manager might read it as an option."""
    if tuple(request) == EVERYTHING:
        return request
    return [">".join(family.preview.word(*name.partition("=")) for name in word.split(">", 1)) for word in request]
