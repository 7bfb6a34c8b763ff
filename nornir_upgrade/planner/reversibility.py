"""Reversibility, the proof before a run: whether each host has a way back from the state after the plan. Pure.

The old versions come from repositories, or out of escrow."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nornir_upgrade.core.errors import Blocked
from nornir_upgrade.core.escrow.escrow import Kept
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageChange,
    PackageWant,
    by_key,
    by_name,
    implied,
    standing_for,
)
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.packaging.rehearsal import Rehearsed
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.steps.packages import SetPackages, as_they_are, surprises
from nornir_upgrade.steps.repositories import SetRepository

Verdict = Literal["reversible", "reversible from escrow", "no way back"]
_SHOWN = 20
_LOST = "no repository has it, and it is not in escrow"


@dataclass(frozen=True, slots=True)
class WayBackQuestion:
    """What a host's package manager is asked: `want` of the packages `after` the plan, with the files `repositories`
    (path -> text) among its sources."""

    manager: str
    repositories: Mapping[str, str]
    present: tuple[Package, ...]
    after: tuple[Package, ...]
    want: tuple[PackageWant, ...]

    @property
    def changes(self) -> tuple[PackageChange, ...]:
        """The changes of the way back, one a package."""
        return implied(self.want, self.after).changes

    @property
    def old(self) -> frozenset[PackageFile]:
        """The files that the way back installs."""
        there = {(package.key, package.version) for package in self.after if package.unpacked}
        coming = (
            package
            for package in self.want
            if package.goal == "installed" and (package.key, package.version) not in there
        )
        format = family_of(self.manager).format.name
        return frozenset(PackageFile(format, package.name, package.arch, package.version) for package in coming)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A reason why there is no way back; `packages` are the cause, where single packages are."""

    packages: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Reversibility:
    """The verdict on one host. `changes` are the way back. `kept`: the files, `bytes` in all, that it takes from escrow.

    `to_keep`: files that no repository offers and escrow lacks. A run keeps them before it changes anything."""

    host: str
    verdict: Verdict
    changes: tuple[PackageChange, ...]
    kept: tuple[PackageFile, ...] = ()
    to_keep: tuple[PackageFile, ...] = ()
    bytes: int = 0
    reasons: tuple[Obstacle, ...] = ()


def questions(plan: Plan, facts: Mapping[str, HostFacts]) -> dict[str, WayBackQuestion]:
    """What to ask each host whose packages `plan` changes."""
    wants: dict[str, list[PackageWant]] = {}
    files: dict[str, dict[str, str]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages):
            wants.setdefault(host, []).extend(step.want)
        elif isinstance(step, SetRepository) and step.text is not None and not step.replaces:
            files.setdefault(host, {})[step.path] = step.text
    return {host: _question(facts[host], want, files.get(host, {})) for host, want in wants.items() if host in facts}


def _question(facts: HostFacts, want: Sequence[PackageWant], files: Mapping[str, str]) -> WayBackQuestion:
    return WayBackQuestion(
        facts.os.manager, files, facts.packages, after(facts.packages, want), as_they_are(want, facts.packages)
    )


def after(present: Sequence[Package], want: Iterable[PackageWant]) -> tuple[Package, ...]:
    """The packages after `want` is reached. A package removed with goal `config-files` is listed with its configuration left."""
    packages, named = by_key(present), by_name(present)
    come: list[Package] = []
    for key, ones in by_key(want).items():
        stood = standing_for(ones[0], named.get(key.name, ())) or key
        now = packages.get(stood, [])
        stay = [package for package in ones if package.goal == "installed"]
        leave = {package.version for package in ones if package.goal != "installed"}
        packages[stood] = [package for package in now if not stay and not leave & {"", package.version}]
        if stay:
            come += [_installed(package) for package in stay]
        elif any(package.goal == "config-files" for package in ones):
            come += [_configuration(package) for package in now[:1]]
    every = (*(package for ones in packages.values() for package in ones), *come)
    return tuple(sorted(every, key=lambda package: (package.name, package.arch, package.version)))


def _installed(package: PackageWant) -> Package:
    return Package(
        package.name, package.arch, package.version, "installed", "hold" if package.hold else "install", package.auto
    )


def _configuration(package: Package) -> Package:
    return replace(package, state="config-files", selection="deinstall", auto=False, broken=False)


# ---------------------------------------------------------------------- verdicts


def unoffered(question: WayBackQuestion, rehearsed: Rehearsed) -> tuple[PackageFile, ...]:
    """The files of the way back that no repository of the host offers."""
    return tuple(sorted(question.old - rehearsed.offered))


def judge(
    host: str,
    question: WayBackQuestion,
    rehearsed: Rehearsed,
    kept: Mapping[PackageFile, Kept],
    to_be_had: Collection[PackageFile],
) -> Reversibility:
    """The verdict on a host. A file that no repository offers must be in escrow (`kept`), or a run must be able to keep it."""
    due = unoffered(question, rehearsed)
    held = tuple(file for file in due if file in kept)
    coming = tuple(file for file in due if file not in kept and file in to_be_had)
    obstacles = [Obstacle((file.name,), f"{file}: {_LOST}") for file in due if file not in (*held, *coming)]
    obstacles += _refused(question, rehearsed)
    verdict: Verdict = "no way back" if obstacles else "reversible from escrow" if due else "reversible"
    size = sum(kept[file].size for file in held)
    return Reversibility(host, verdict, question.changes, held, coming, size, tuple(obstacles))


def _refused(question: WayBackQuestion, rehearsed: Rehearsed) -> Iterable[Obstacle]:
    if rehearsed.said is None:
        yield Obstacle((), rehearsed.refusal)
    elif lines := surprises(rehearsed.said.changes, question.changes, question.want, question.after):
        yield Obstacle((), "the package manager " + "; ".join(lines[:_SHOWN]))


def refuse_no_way_back(proofs: Iterable[Reversibility], consent: Collection[str]) -> None:
    """Raises `Blocked` naming the packages of every host without a way back that is not in `consent`."""
    lost = [proof for proof in proofs if proof.verdict == "no way back" and proof.host not in consent]
    if lost:
        lines = [f"{proof.host}: no way back: {reason.text}" for proof in lost for reason in proof.reasons]
        flags = " ".join(f"--accept-no-way-back {proof.host}" for proof in lost)
        raise Blocked("\n".join(lines), hint=f"nothing was changed; go on all the same with {flags}")
