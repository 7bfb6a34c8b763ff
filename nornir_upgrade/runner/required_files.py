"""Required files: the package files that a way back would install again, and the captures of runs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, by_name, standing_for
from nornir_upgrade.core.packaging.package_file import PackageFile, files_of
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.state.capture import left_alone
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.odd_names import is_odd
from nornir_upgrade.steps.databases import RestoreDatabase
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.state import RestoreState

RequiredFiles = Mapping[str, tuple[PackageFile, ...]]
"""Host -> package files."""


def required_files(plan: Plan, facts: Mapping[str, HostFacts]) -> RequiredFiles:
    """For every host, the files of its installed packages that `plan` changes or removes."""
    required: dict[str, dict[PackageFile, None]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages) and host in facts:
            changed = files_of(facts[host].os.family, _changed(step, facts[host].packages))
            required.setdefault(host, {}).update(dict.fromkeys(changed))
    return {host: tuple(sorted(files)) for host, files in required.items()}


def downgraded_files(plan: Plan) -> RequiredFiles:
    """For every host, the files of old versions that `plan` installs there."""
    required: dict[str, dict[PackageFile, None]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages) and step.downgrade:
            files = (
                PackageFile(step.family, want.name, want.arch, want.version)
                for want in step.want
                if want.goal == "installed"
            )
            required.setdefault(host, {}).update(dict.fromkeys(files))
    return {host: tuple(files) for host, files in required.items()}


def lost_files(then: Mapping[str, HostFacts], now: Mapping[str, HostFacts]) -> RequiredFiles:
    """For every host in both `then` and `now`, the files of the package versions that were installed only then."""
    lost = {}
    for host in sorted(then.keys() & now.keys()):
        present = {(package.key, package.version) for package in now[host].packages if package.unpacked}
        gone = [package for package in then[host].packages if (package.key, package.version) not in present]
        lost[host] = files_of(then[host].os.family, gone)
    return lost


def installed_files(facts: Mapping[str, HostFacts], patterns: Sequence[str] = ()) -> RequiredFiles:
    """For every host, the files of its packages that match one of `patterns` (globs); without patterns, of all packages."""

    def matches(name: str) -> bool:
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    return {host: files_of(one.os.family, [p for p in one.packages if matches(p.name)]) for host, one in facts.items()}


def managers(facts: Mapping[str, HostFacts]) -> dict[str, str]:
    """The package manager of every host."""
    return {host: one.os.manager for host, one in facts.items()}


def _changed(step: SetPackages, present: tuple[Package, ...]) -> tuple[Package, ...]:
    """The packages in `present` whose version `step` changes or removes."""
    changed, packages = set(), by_name(present)
    for want in step.want:
        version = want.version if want.goal == "installed" else ""
        namesakes = packages.get(want.name, ())
        key = standing_for(want, namesakes) or want.key
        changed |= {package for package in namesakes if package.key == key and package.version != version}
    return tuple(package for package in present if package in changed)


@dataclass(frozen=True, slots=True)
class Capture:
    """An object that a run captured on `host`, of the path or database `name`. `what`: configuration, dump or repository."""

    run: str
    host: str
    what: str
    name: str
    digest: str


def captures(runs: Iterable[Run]) -> tuple[Capture, ...]:
    """All captures of `runs`, oldest first."""
    return tuple(
        Capture(run.id, place.host, *captured)
        for run in runs
        for place, before in run.started.items()
        if before is not None
        for captured in _captured(before)
    )


def captured_files(run: Run, host: str) -> dict[str, FileState]:
    """Every file, directory and link of `host` that `run` captured, by path. Of one captured twice, the first state.

    Files that the run recorded at its end are no captures, and neither are files that it left alone.
    """
    states: dict[str, FileState] = {}
    for place, before in run.started.items():
        if place.host != host:
            continue
        if isinstance(before, RestoreFiles) or (isinstance(before, RestoreState) and before.part != "end"):
            for entry in before.entries:
                if not left_alone(entry):
                    states.setdefault(entry.path, entry)
        elif isinstance(before, SetRepository) and before.digest:
            states.setdefault(before.path, FileState(before.path, "file", digest=before.digest))
    return dict(sorted(states.items()))


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
