"""Manifests and the plan of a way back as text; hosts with the same list share one block."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.packages import SetPackages

from .model import Change, Manifest, moving

_ORDER = ("downgrade", "upgrade", "install", "remove", "rename", "unobtainable", "held", "keep")


def counts_in_text(manifests: Mapping[str, Manifest]) -> str:
    """How many packages have each action, host by host; every package of every host is counted."""
    actions = [action for action in _ORDER if any(manifest.counts[action] for manifest in manifests.values())]
    rows = [(host, *(manifests[host].counts[action] for action in actions)) for host in manifests]
    return columns(("packages", *actions), rows)


def changes_in_text(manifests: Mapping[str, Manifest]) -> str:
    """Every package that changes, with its versions; every removal is named."""
    return _shared(
        {
            host: tuple(_change(change, manifest.family) for change in moving(manifest))
            for host, manifest in manifests.items()
        }
    )


def plan_in_text(plan: Plan) -> str:
    """The waves, and what will be true on which hosts after each."""
    parts = []
    for number, wave in enumerate(plan.waves, 1):
        hosts: dict[str, list[str]] = {}
        for work in wave.work:
            for step in work.steps:
                hosts.setdefault(_words(step), []).append(work.host)
        parts.append(f"{number}. {wave.name}")
        parts += [f"   {what} ({', '.join(dict.fromkeys(names))})" for what, names in hosts.items()]
    return "\n".join(parts)


def _words(step: Step) -> str:
    """The step in a line. How many packages change: above it stands what becomes of each."""
    if not isinstance(step, SetPackages):
        return one_line(step.describe(), 100)
    away = "purged" if format_of(step.family).purges else "removed"
    verbs = {"installed": "installed or changed", "config-files": "removed", "absent": away}
    count = Counter(verbs[want.goal] for want in step.want)
    return "packages: " + ", ".join(f"{count[verb]} {verb}" for verb in dict.fromkeys(verbs.values()) if count[verb])


def _shared(lists: Mapping[str, Sequence[str]]) -> str:
    hosts: dict[tuple[str, ...], list[str]] = {}
    for host, entries in lists.items():
        if entries:
            hosts.setdefault(tuple(entries), []).append(host)
    return "\n".join(_block(names, entries) for entries, names in hosts.items())


def _block(names: Iterable[str], entries: Iterable[str]) -> str:
    return "\n".join((f"{', '.join(names)}:", *(f"  {entry}" for entry in entries)))


def _change(change: Change, family: str) -> str:
    if change.action == "remove":
        verb = "remove" if change.target or not format_of(family).purges else "purge"
        return f"{verb} {change.name} {change.installed or '(its configuration)'}"
    return f"{change.action} {change.target_name} {change.installed or '-'} -> {change.target}"
