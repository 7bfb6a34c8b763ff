"""Deviations: what will differ from the snapshot, with the reasons; refused unless somebody agreed to it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from nornir_upgrade.core.errors import NoSolution, Unobtainable

from .model import FOREIGN, STAYS, Change, Manifest, Problem

AGREE = (
    "agree to that with --missing keep or --missing remove, or make what is missing available to the hosts\n"
    "  (whose own indexes count, for a repository that they have: apt-get update)"
)


def require_agreed(manifests: Iterable[Manifest], hint: str = AGREE, *, missing: bool = False) -> None:
    """Raises `Unobtainable` if a manifest deviates because a version is not available, `NoSolution` if for other reasons.

    `missing`: somebody agreed to all deviations, except the removal of packages that others installed.
    """
    unagreed = tuple(_unagreed(manifest, missing) for manifest in manifests)
    problems = [problem for manifest in unagreed for problem in manifest.deviations]
    if problems:
        kind = Unobtainable if any(problem.rule == "unobtainable" for problem in problems) else NoSolution
        foreign = [problem.hint for problem in problems if problem.rule == FOREIGN]
        others = [hint] if len(foreign) < len(problems) else []
        raise kind(in_text(unagreed), hint="\n  ".join([*others, *foreign[:1]]))


def _unagreed(manifest: Manifest, missing: bool) -> Manifest:
    left = tuple(problem for problem in manifest.deviations if problem.rule == FOREIGN or not missing)
    return replace(manifest, deviations=left)


def in_text(manifests: Iterable[Manifest]) -> str:
    """Each deviation with its cause and every package that deviates; hosts with the same list share one block."""
    hosts: dict[str, list[str]] = {}
    for manifest in manifests:
        if manifest.deviations:
            hosts.setdefault("\n".join(_lines(manifest)), []).append(manifest.host)
    return "\n".join(f"{', '.join(names)}: not exactly as asked:\n{text}" for text, names in hosts.items())


def pulled_in(manifests: Iterable[Manifest]) -> str:
    """The packages that a partial way back changes beside those asked for, a line each, with the reason."""
    lines = (
        f"{manifest.host}: {change.name} comes along: {change.why}"
        for manifest in manifests
        for change in manifest.changes
        if "only" in manifest.to and change.action not in STAYS and not _asked(change, manifest.to["only"].split())
    )
    return "\n".join(lines)


def _asked(change: Change, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(change.name, pattern) for pattern in patterns)


def _lines(manifest: Manifest) -> Iterator[str]:
    for problem in manifest.deviations:
        yield f"  {problem.text}"
        for change in manifest.changes:
            if change.name in problem.packages:
                yield f"    {_line(change, problem)}"


def _line(change: Change, problem: Problem) -> str:
    why = "" if problem.text.startswith(change.why) else f": {change.why}"
    return f"{change.name} {_end(change)}{why}"


def _end(change: Change) -> str:
    if change.action == "remove":
        return f"{change.installed} goes"
    if change.action in STAYS:
        return f"{change.installed} stays" if change.installed else "does not come back"
    return f"comes to {change.target}"
