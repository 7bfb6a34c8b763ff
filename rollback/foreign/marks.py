"""Marks and holds that others set since the runs: they are kept on packages that no run changed. Pure."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.run import Run
from nornir_upgrade.steps.packages import SetPackages
from rollback.manifest.model import STAYS, Change, Manifest, slots_in


def touched(runs: Iterable[Run], host: str) -> frozenset[tuple[str, str]]:
    """The packages (name, architecture) that runs began to change on `host`."""
    steps = (run.step_at(place) for run in runs for place in run.started if place.host == host)
    return frozenset((want.name, want.arch) for step in steps if isinstance(step, SetPackages) for want in step.want)


def marked(manifest: Manifest, now: HostFacts, runs: Iterable[Run]) -> Manifest:
    """`manifest`, in which a package that stays as it is keeps its present marks, unless a run changed it. Without runs nobody knows
    who set the marks: then all are as in the snapshot.
    """
    keys = touched(runs, manifest.host)
    if not keys:
        return manifest
    present = slots_in(manifest).by_key(now.packages)
    return replace(
        manifest, changes=tuple(_marked(change, present.get(change.key), keys) for change in manifest.changes)
    )


def _marked(change: Change, now: Package | None, keys: Collection[tuple[str, str]]) -> Change:
    stays = change.action == "keep" and change.installed and (change.name, change.arch) not in keys
    return replace(change, auto=now.auto, hold=now.hold) if stays and now is not None else change


def cautions(manifest: Manifest, then: HostFacts, now: HostFacts) -> Iterator[str]:
    """A sentence for the marks and holds of others that are kept, and one for the holds that are removed."""
    before, present = (slots_in(manifest).by_key(facts.packages) for facts in (then, now))
    kept, removed = [], []
    for change in manifest.changes:
        old, new = before.get(change.key), present.get(change.key)
        if old is None or new is None or not (old.unpacked and new.unpacked):
            continue
        if change.action in STAYS and _marks(old) != _marks(new) == (change.auto, change.hold):
            kept.append(f"{change.name} ({', '.join(_words(old, new))})")
        if new.hold and not change.hold:
            removed.append(change.name)
    if kept:
        yield f"{manifest.host}: marks that others set since stay: {_listed(kept)}"
    if removed:
        yield f"{manifest.host}: holds that others set since go, because the packages change their versions: {_listed(removed)}"


def _marks(package: Package) -> tuple[bool, bool]:
    return package.auto, package.hold


def _words(old: Package, new: Package) -> Iterator[str]:
    if old.hold != new.hold:
        yield "held" if new.hold else "not held"
    if old.auto != new.auto:
        yield "auto" if new.auto else "manual"


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names))
