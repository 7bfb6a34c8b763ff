"""Needs: the package files that a way back would install again. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, by_name, standing_for
from nornir_upgrade.core.packaging.package_file import PackageFile, files_of
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.odd_names import is_odd
from nornir_upgrade.steps.databases import RestoreDatabase
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.state import RestoreState, left_alone

Needs = Mapping[str, tuple[PackageFile, ...]]
"""Host -> package files."""


def needs(plan: Plan, facts: Mapping[str, HostFacts]) -> Needs:
    """For every host, the files of what is installed there now and `plan` changes or removes."""
    found: dict[str, dict[PackageFile, None]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages) and host in facts:
            changed = files_of(facts[host].os.family, _changed(step, facts[host].packages))
            found.setdefault(host, {}).update(dict.fromkeys(changed))
    return {host: tuple(sorted(files)) for host, files in found.items()}


def downgraded(plan: Plan) -> Needs:
    """For every host, the files of old versions that `plan` installs there."""
    found: dict[str, dict[PackageFile, None]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages) and step.downgrade:
            files = (
                PackageFile(step.family, one.name, one.arch, one.version)
                for one in step.want
                if one.goal == "installed"
            )
            found.setdefault(host, {}).update(dict.fromkeys(files))
    return {host: tuple(files) for host, files in found.items()}


def lost(then: Mapping[str, HostFacts], now: Mapping[str, HostFacts]) -> Needs:
    """For every host that both know, the files of what was installed then and is not now."""
    found = {}
    for host in sorted(then.keys() & now.keys()):
        present = {(one.key, one.version) for one in now[host].packages if one.unpacked}
        gone = [one for one in then[host].packages if (one.key, one.version) not in present]
        found[host] = files_of(then[host].os.family, gone)
    return found


def installed(facts: Mapping[str, HostFacts], patterns: Sequence[str] = ()) -> Needs:
    """For every host, the files of what is installed and matches one of `patterns` (globs); of all where there are none."""

    def asked(name: str) -> bool:
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    return {host: files_of(one.os.family, [p for p in one.packages if asked(p.name)]) for host, one in facts.items()}


def managers(facts: Mapping[str, HostFacts]) -> dict[str, str]:
    """The package manager of every host."""
    return {host: one.os.manager for host, one in facts.items()}


def _changed(step: SetPackages, present: tuple[Package, ...]) -> tuple[Package, ...]:
    leave, named = set(), by_name(present)
    for want in step.want:
        stays = want.version if want.goal == "installed" else ""
        namesakes = named.get(want.name, ())
        key = standing_for(want, namesakes) or want.key
        leave |= {one for one in namesakes if one.key == key and one.version != stays}
    return tuple(one for one in present if one in leave)


@dataclass(frozen=True, slots=True)
class Capture:
    """Something that a run captured, as an object: what it is of, on which host. `what` is configuration, dump or repository."""

    run: str
    host: str
    what: str
    name: str
    digest: str


def captures(runs: Iterable[Run]) -> tuple[Capture, ...]:
    """All that runs captured, oldest first."""
    return tuple(
        Capture(run.id, place.host, *told)
        for run in runs
        for place, before in run.started.items()
        if before is not None
        for told in _captured(before)
    )


def captured_files(run: Run, host: str) -> dict[str, FileState]:
    """Every file, directory and link of `host` that `run` captured, by path; of one captured twice what it was first.

    What a run noted at its end is no capture, nor is what it left alone.
    """
    found: dict[str, FileState] = {}
    for place, before in run.started.items():
        if place.host != host:
            continue
        if isinstance(before, RestoreFiles) or (isinstance(before, RestoreState) and before.part != "end"):
            for entry in before.entries:
                if not left_alone(entry):
                    found.setdefault(entry.path, entry)
        elif isinstance(before, SetRepository) and before.digest:
            found.setdefault(before.path, FileState(before.path, "file", digest=before.digest))
    return dict(sorted(found.items()))


def _captured(before: Step) -> Iterable[tuple[str, str, str]]:
    match before:
        case RestoreState():
            yield from (("configuration", entry.path, entry.digest) for entry in before.kept)
        case RestoreFiles():
            yield from (
                ("configuration", entry.path, entry.digest)
                for entry in before.entries
                if entry.digest and not is_odd(entry)
            )
        case RestoreDatabase() if before.dump:
            yield ("dump", before.database, before.dump)
        case SetRepository() if before.digest:
            yield ("repository", before.path, before.digest)
