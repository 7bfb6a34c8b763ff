"""Findings about one host, from its facts: packages, holds, and services of the scenario. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.deb import suites
from nornir_upgrade.core.transport.odd_names import odd
from nornir_upgrade.finding import Finding, some
from nornir_upgrade.planner.repository_switch import Texts
from nornir_upgrade.planner.selection import Member, Part, members, parts
from nornir_upgrade.scenario.model import Rewrite, Scenario

from .remedies import REMEDIES


def of_host(scenario: Scenario, hosts: Sequence[Member], facts: HostFacts, *, busy: bool = False) -> Iterable[Finding]:
    """`busy`: somebody changes packages there, so that what is not wholly installed is not yet so."""
    remedies = REMEDIES[facts.os.family]
    if (broken := interrupted(facts)) and not busy:
        text = f"not wholly installed: {some(broken)}"
        yield Finding("package-broken", facts.host, "blocking", text, remedies.mend)
    found = [(stage, one) for stage in scenario.stages for one in parts(stage, hosts, {facts.host: facts})]
    meant = facts.os.family in scenario.families and any(
        facts.host in members(stage.groups, hosts) for stage in scenario.stages
    )
    if meant and not found:
        text = "has no package of this scenario: nothing will be done there"
        yield Finding("nothing-of-scenario", facts.host, "advisory", text, "leave it out, or see to its groups")
    if odd_ones := [one.name for one in facts.entries if one.name.startswith("/") and odd(one.name)]:
        text = f"a name that is no UTF-8 is neither captured nor restored: {some(odd_ones)}"
        yield Finding("not-captured", facts.host, "advisory", text, "give it another name, where it matters")
    if held := sorted({name for _, one in found for name in one.held}):
        text = f"held, and will stay at their version: {some(held)}"
        yield Finding("package-held", facts.host, "advisory", text, remedies.unhold(held))
    for _, one in found:
        yield from _services(one)


def interrupted(facts: HostFacts) -> tuple[str, ...]:
    """The packages that are not wholly installed."""
    return tuple(dict.fromkeys(package.name for package in facts.packages if package.interrupted))


def _services(one: Part) -> Iterable[Finding]:
    """A service that should run and does not would make the upgrade look bad, or hide that it is."""
    for unit in one.units:
        names = ", ".join(present.name for present in unit.present)
        if unit.enabled and not unit.active:
            remedy = f"see why (journalctl -u {unit.present[0].name}), or disable it where it is not wanted"
            yield Finding("service-down", one.host, "blocking", f"{names} should run, and does not", remedy)
        elif not unit.active:
            text = f"{names} does not run, and will not be started"
            yield Finding("service-off", one.host, "advisory", text, "start it before, where it is wanted")


def of_sources(scenario: Scenario, facts: Mapping[str, HostFacts], texts: Texts) -> Iterable[Finding]:
    """A host whose source files name none of the suites, neither old nor new, would only be upgraded within its release."""
    for name, own in texts.items():
        rewrites = scenario.repositories_of(facts[name].os.family).rewrites
        if not any(_concerns(one, path, text) for one in rewrites for path, text in own.items()):
            wanted = some(sorted({old for one in rewrites for old, _ in one.suites}))
            text = f"none of its source files names a suite of the old release, or of the new one: {wanted}"
            remedy = "on the host: apt-cache policy; leave it out with --limit, or set the codenames of its releases"
            yield Finding("suite-missing", name, "blocking", text, remedy)


def _concerns(one: Rewrite, path: str, text: str) -> bool:
    """Whether the file names an old suite, or, rewritten before, a new one."""
    back = tuple((new, old) for old, new in one.suites)
    return any(suites.rewrite(path, text, renames) for renames in (one.suites, back))
