"""Decoding: the chosen versions as a manifest, with every package and the reasons for every deviation. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from nornir_upgrade.core.packaging.model import Package, PackageName
from rollback.manifest.model import FOREIGN, Change, Manifest, Problem
from rollback.packaging.candidate import Catalog
from rollback.packaging.clauses import Reason

from .exact import change_of
from .preferences import PackageGoal
from .problem import Scene
from .reasons import by_root

Reasons = Mapping[PackageName, tuple[Reason, ...]]

_HINT = (
    "look for what is missing with rollback escrow fetch --run RUN, or make a repository with it available to the host; "
    "then compute again"
)
_FOREIGN_HINT = "agree to that with --remove-foreign, or move these packages and their data first"
_RULES = {"missing": "unobtainable", "essential": "essential", "policy": "policy"}


def manifest_of(
    scene: Scene, chosen: frozenset[int], why: Reasons, notes: Iterable[Problem], straight: Manifest, offered: Catalog
) -> Manifest:
    """The manifest that leads to the versions `chosen`.

    `why`: the reasons for each package that deviates from its goal. `notes`: further deviations. `straight`: the manifest of the
    exact way, with the same packages.
    """
    versions = {scene.encoding.keys[v - 1]: scene.encoding.packages[v - 1].version for v in chosen}
    aims = {aim.key: aim for aim in scene.aims}
    changes = []
    for change in straight.changes:
        key = change.key
        end = _end(scene, key, versions.get(key, ""), offered)
        changes.append(_change(scene, key, end, aims.get(key), why.get(key, ()), offered))
    deviations = (*_grouped(scene, why, aims), *_configuration(scene, changes), *_unmended(changes, why), *notes)
    return replace(straight, changes=tuple(changes), problems=(), deviations=deviations)


def _end(scene: Scene, key: PackageName, version: str, offered: Catalog) -> Package | None:
    """The package after the way back; `None`: nothing of it. Removal may leave its configuration (`purges`)."""
    then, now = scene.then.get(key), scene.now.get(key)
    outside = scene.partial and not scene.focus(key)
    base = (now or then) if outside else (then or now)
    if base is not None and version:
        return Package(key.name, key.arch, version, "installed", "hold" if base.hold else "install", base.auto)
    if base is None or then is None or (outside and now is None):
        return now if outside and now is not None and not now.unpacked else None
    if not scene.purges:
        return None
    if not outside and then.state == "config-files" and change_of(then, now, key, offered).action != "unobtainable":
        return then
    return replace(now, state="config-files", selection="deinstall", broken=False) if now is not None else None


def _change(
    scene: Scene,
    key: PackageName,
    end: Package | None,
    aim: PackageGoal | None,
    why: tuple[Reason, ...],
    offered: Catalog,
) -> Change:
    now = scene.now.get(key)
    text = "; ".join(map(str, why))
    if end is None and now is None:
        why_not = text or "is not there, and stays so"
        change = Change(key.name, key.arch, "keep", "", key.name, "", why=why_not, slot=key.version)
    else:
        change = change_of(end, now, key, offered, scene.encoding.flavour)
        change = replace(change, why="; ".join(filter(None, (text, change.why if not why else ""))))
    stays = change.action in ("keep", "held")
    lacking = any(
        reason.rule == "missing" and (reason.package, reason.version) == (key.name, aim and aim.wanted)
        for reason in why
    )
    return replace(change, action="unobtainable") if stays and lacking else change


def _grouped(scene: Scene, why: Reasons, aims: Mapping[PackageName, PackageGoal]) -> tuple[Problem, ...]:
    """One problem for each root cause. With `--only`, packages that changed along are no deviation: their change has the reason."""
    if scene.partial:
        why = {key: reasons for key, reasons in why.items() if aims[key].focus or aims[key].guest}
    theirs = {key: reasons for key, reasons in why.items() if aims[key].guest}
    ours = {key: reasons for key, reasons in why.items() if not aims[key].guest}
    return (
        *(_problem(roots, keys) for roots, keys in by_root(ours)),
        *(_foreign(roots, keys) for roots, keys in by_root(theirs)),
    )


def _foreign(roots: tuple[Reason, ...], keys: tuple[PackageName, ...]) -> Problem:
    names = tuple(dict.fromkeys(key.name for key in keys))
    return Problem(
        FOREIGN,
        names,
        f"{_cause(roots)}: {', '.join(names)}, which others installed, cannot stay as now",
        _FOREIGN_HINT,
    )


def _cause(roots: tuple[Reason, ...]) -> str:
    return "; ".join(map(str, roots)) or "the rules of the packages"


def _problem(roots: tuple[Reason, ...], keys: tuple[PackageName, ...]) -> Problem:
    names = tuple(dict.fromkeys(key.name for key in keys))
    cause = _cause(roots)
    rule = _RULES.get(roots[0].rule, "unsatisfiable") if roots else "unsatisfiable"
    return Problem(rule, names, f"{cause}: {', '.join(names)} cannot be as in the snapshot", _HINT)


def _configuration(scene: Scene, changes: Iterable[Change]) -> tuple[Problem, ...]:
    """Problem: packages whose configuration alone is in the snapshot, at a version that is not available."""
    lost = []
    for change in changes:
        then = scene.then.get(change.key)
        outside = scene.partial and not scene.focus(change.key)
        if then is not None and not then.unpacked and not outside and change.target != then.version:
            lost.append(f"{change.name}={then.version}")
    text = f"no repository offers {', '.join(lost)}, of which the snapshot has the configuration"
    return (Problem("unobtainable", tuple(package.partition("=")[0] for package in lost), text, _HINT),) if lost else ()


def _unmended(changes: Iterable[Change], why: Reasons) -> tuple[Problem, ...]:
    """Problem: packages at the wanted version whose installation was interrupted, and that no repository offers."""
    lost = [
        change for change in changes if change.action == "unobtainable" and change.installed and change.key not in why
    ]
    text = f"no repository offers {', '.join(f'{change.name}={change.target}' for change in lost)}, of which not all scripts ran"
    return (Problem("unobtainable", tuple(change.name for change in lost), text, _HINT),) if lost else ()
