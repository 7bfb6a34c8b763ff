"""Manifests as files and as text: a directory with one manifest a host and an index, `name=version` lines, reasons."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote as percent

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Drift, InvalidInput, UnknownName
from nornir_upgrade.core.facts.gather import HostFacts

from .model import FORMAT, Change, Manifest, document, read

INDEX = "index.json"
_SHOWN = 20


def write_all(manifests: Mapping[str, Manifest], directory: Path) -> None:
    """Afterwards `directory` holds a file a manifest, and an index that names them. Raises `InvalidInput` if it cannot be written."""
    files = {host: f"{percent(host, safe='')}.json" for host in sorted(manifests)}
    index = {"format": FORMAT, "hosts": {host: {"file": files[host], **_summary(manifests[host])} for host in files}}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for host, name in files.items():
            (directory / name).write_text(codec.dumps(document(manifests[host]), indent=2) + "\n", encoding="utf-8")
        (directory / INDEX).write_text(codec.dumps(index, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{error.filename}: {error.strerror}", hint="choose another directory with --out") from None


def read_all(directory: Path) -> dict[str, Manifest]:
    """The manifests that the index in `directory` names, by host. Raises `InvalidInput` with the file that is wrong."""
    index = codec.loads(_bytes(directory / INDEX), dict[str, Any], source=str(directory / INDEX))
    if index.get("format") != FORMAT or not isinstance(index.get("hosts"), dict):
        raise InvalidInput(f"{directory / INDEX}: no index of manifests in format {FORMAT}")
    manifests = {}
    for host in index["hosts"]:
        path = directory / f"{percent(host, safe='')}.json"
        manifests[host] = read(_bytes(path), str(path))
        if manifests[host].host != host:
            raise InvalidInput(f"{path}: the manifest of {manifests[host].host}, not of {host}")
    return manifests


def refuse_drift(manifests: Mapping[str, Manifest], computed: Mapping[str, Manifest], now: Iterable[HostFacts]) -> None:
    """Raises `Drift` unless there is a manifest for each host of `now` that starts from its state and leads where `computed` does."""
    for facts in now:
        if facts.host not in manifests:
            raise UnknownName("manifest for host", facts.host, sorted(manifests))
        mine, theirs = computed[facts.host], manifests[facts.host]
        if mine.to != {kind: name for kind, name in theirs.to.items() if kind != "only"}:
            raise InvalidInput(f"{facts.host}: the manifest leads to {_where(theirs)}, not to {_where(mine)}")
        changed = {_start(change) for change in mine.changes} ^ {_start(change) for change in theirs.changes}
        if changed:
            names = ", ".join(sorted({name for name, _, _ in changed}))
            raise Drift(
                f"{facts.host}: the packages are not what they were when the manifest was computed: {names}",
                hint="nothing was changed; compute it again",
            )


def reasons(manifests: Iterable[Manifest], package: str) -> tuple[str, ...]:
    """What happens to `package` and why, a line for each host and architecture, then the problems that name it, a line each.

    Raises `UnknownName` if no manifest names it.
    """
    everything = tuple(manifests)
    changes = [
        (manifest.host, change) for manifest in everything for change in manifest.changes if change.name == package
    ]
    if not changes:
        known = sorted({change.name for manifest in everything for change in manifest.changes})
        raise UnknownName("package", package, get_close_matches(package, known, 5, 0.5) or known[:_SHOWN])
    shared = dict.fromkeys(
        f"{manifest.host}: {problem.text}"
        for manifest in everything
        for problem in (*manifest.problems, *manifest.deviations)
        if package in problem.packages
    )
    return (*(f"{host}: {_reason(change)}" for host, change in changes), *shared)


def refuse_unmatched(manifests: Iterable[Manifest], only: Iterable[str]) -> None:
    """Raises `InvalidInput` if one of the patterns `only` matches no package of any host: it may be misspelled."""
    names = {
        name for manifest in manifests for change in manifest.changes for name in (change.name, change.target_name)
    }
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InvalidInput(
                f"--only {pattern!r} is for no package", hint="see which there are: rollback compute -o json"
            )


def _reason(change: Change) -> str:
    versions = f"{change.installed or 'not installed'} -> {change.target or 'not installed'}"
    why = f": {change.why}" if change.why else ""
    origin = f" (from {change.origin})" if change.origin else ""
    return f"{change.name}:{change.arch} {change.action}, {versions}{why}{origin}"


def _start(change: Change) -> tuple[str, str, str]:
    return change.name, change.arch, change.installed


def _where(manifest: Manifest) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in sorted(manifest.to.items()))


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {"counts": manifest.counts, "problems": len(manifest.problems), "deviations": len(manifest.deviations)}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}", hint="`rollback compute --out DIR` makes one") from None
