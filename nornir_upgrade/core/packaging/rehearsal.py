"""Rehearsal of the way back: a host's package manager simulates it from the state that the plan will leave.

Nothing on the host changes: it all goes on in a private directory there, in one round trip.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import CommandFailed, InvalidInput, Unobtainable
from nornir_upgrade.core.transport import disk
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.transport.sections import Section, new_boundary, split
from nornir_upgrade.core.transport.unreadable import unreadable

from .family import Family, RehearsalPart
from .model import Package, PackageWant, Transaction
from .package_file import PackageFile, files_of
from .registry import family_of

_TIMEOUT = 900.0  # seconds: indexes are fetched


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of it. `offered`: which of the old versions repositories have. `said` is what the manager would do, where it would
    do as it is told, as if all other versions were there in files; else `refusal` has its last words."""

    offered: frozenset[PackageFile]
    said: Transaction | None
    refusal: str = ""


def rehearse(
    host: Host,
    manager: str,
    repositories: Mapping[str, str],
    present: Sequence[Package],
    after: Sequence[Package],
    want: Sequence[PackageWant],
) -> Rehearsed:
    """What the `manager` of `host`, whose packages are `present`, prints for the way from `after` to `want`, with the files
    `repositories` (path -> text) among its sources.

    Raises `Unobtainable` where an index cannot be fetched.
    """
    family = family_of(manager)
    stage = family.rehearsal
    arguments = [text for path, content in repositories.items() for text in (stage.file_name(path), content)]
    words = family.manager.simulate(want, after, downgrade=True)
    argv = ("sh", "-c", stage.SCRIPT, "sh", new_boundary(), stage.FORMAT, str(len(repositories)), *arguments, *words)
    stdin = "".join("\t".join(row) + "\n" for row in _given(stage, present, after)).encode()
    result = host.run(argv, stdin=stdin, timeout=_TIMEOUT)
    try:
        return _read(host, family, result, argv[4], after)
    except InvalidInput as refusal:
        raise unreadable(host.name, "what its package manager says of the way back", refusal, result.errors) from None


def _read(host: Host, family: Family, result: Result, boundary: str, after: Sequence[Package]) -> Rehearsed:
    stage, failed = family.rehearsal, family.transactions.failure
    sections = split(result.text, boundary)
    for section in sections.values():
        disk.refuse_full(host.name, section.status, section.said)
    if sections["update"].status != 0:
        failure = failed(host.name, _result(sections["update"]), f"{stage.UPDATE} for the way back")
        raise (
            Unobtainable(failure.message, hint="nothing was changed") if isinstance(failure, CommandFailed) else failure
        )
    offered = files_of(family.format.name, (_row(line) for _, line in sections["offered"].succeeded().lines()))
    simulated = sections["said"]
    if other := _differing(after, stage.present(sections["packages"])):
        return Rehearsed(
            frozenset(offered), None, f"the indexes do not tell the state after the plan: {', '.join(other)}"
        )
    if simulated.status != 0:
        return Rehearsed(
            frozenset(offered), None, failed(host.name, _result(simulated), "the way back, rehearsed").message
        )
    if unsafe := stage.unsafe(host.name, sections):
        return Rehearsed(frozenset(offered), None, unsafe)
    return Rehearsed(frozenset(offered), family.manager.parse_simulation(simulated.text, after))


def _given(stage: RehearsalPart, present: Sequence[Package], after: Sequence[Package]) -> Iterable[Sequence[str]]:
    """The changes from `present` to `after`, and the versions that the way back installs."""
    now, then = {_unpacked(package): package for package in present}, {_unpacked(package): package for package in after}
    left = {package.key for package in after if not package.unpacked}
    come = {package.key for key, package in then.items() if key not in now}
    for key, package in now.items():
        if package.unpacked and key not in then:
            yield stage.given("gone" if package.key in left else "away", package)
            if package.version:  # dpkg knows none of a package whose first unpacking was cut off
                yield stage.given("back", package)
        elif not package.unpacked and package.key in come:
            yield stage.given("away", package)
    yield from (stage.given("come", package) for key, package in then.items() if package.unpacked and key not in now)


def _unpacked(package: Package) -> tuple[str, str, str, bool]:
    return package.name, package.arch, package.version, package.unpacked


def _differing(after: Iterable[Package], simulated: Iterable[Package]) -> list[str]:
    """The packages in which the simulated state differs from the planned one."""
    ours, theirs = ({_unpacked(package) for package in ones if package.unpacked} for ones in (after, simulated))
    return sorted(f"{name}:{arch} {version}" for name, arch, version, _ in ours ^ theirs)


def _row(line: str) -> Package:
    name, arch, version = line.split("\t")
    return Package(name, arch, version, "installed", "install", auto=False)


def _result(section: Section) -> Result:
    return Result(
        section.status,
        section.text.encode("utf-8", "surrogateescape"),
        section.errors.encode("utf-8", "surrogateescape"),
    )
