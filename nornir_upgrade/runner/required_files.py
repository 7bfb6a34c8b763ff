"""Needs: the package files that a way back would install again. Pure."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from nornir_upgrade.core.escrow.escrow import Family, PackageFile, files_of
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, by_name, standing_for
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.steps.packages import SetPackages

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


def families(facts: Mapping[str, HostFacts]) -> dict[str, Family]:
    """The family of every host."""
    return {host: "rpm" if one.os.family == "rpm" else "deb" for host, one in facts.items()}


def _changed(step: SetPackages, present: tuple[Package, ...]) -> tuple[Package, ...]:
    leave, named = set(), by_name(present)
    for want in step.want:
        stays = want.version if want.goal == "installed" else ""
        namesakes = named.get(want.name, ())
        key = standing_for(want, namesakes) or want.key
        leave |= {one for one in namesakes if one.key == key and one.version != stays}
    return tuple(one for one in present if one in leave)
