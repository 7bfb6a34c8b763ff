"""Findings about the fleet as a whole: its groups, package formats and clouds, and what a limit leaves out. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from nornir_upgrade.config.yaml import nearest
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Transaction
from nornir_upgrade.finding import Finding, some
from nornir_upgrade.planner.selection import Member, awaited, database_host, members, parts
from nornir_upgrade.scenario.model import EVERY, Scenario

Previews = Mapping[str, Mapping[str, Transaction]]


def groups(scenario: Scenario, hosts: Sequence[Member]) -> Iterable[Finding]:
    """Stages whose group has no host: a group that the inventory spells differently would be left out silently."""
    existing = sorted({group for host in hosts for group in host.groups})
    named = dict.fromkeys(group for stage in scenario.stages for group in stage.groups)
    for group in named:
        if group not in (*existing, EVERY):
            stages = ", ".join(stage.name for stage in scenario.stages if group in stage.groups)
            settings = [setting.name for setting in scenario.settings if setting.value == group]
            way = " or ".join(f"--set {name}=GROUP, --set {name}= where there is none" for name in settings[:1])
            yield Finding(
                "group-empty",
                "",
                "blocking",
                f"no host is in group {group}, for which there is: {stages}; {nearest(group, existing)}",
                way or "put the hosts into that group of the inventory",
            )


def strangers(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> Iterable[Finding]:
    """Hosts of a format of packages that the scenario is not about."""
    meant = {name for stage in scenario.stages for name in members(stage.groups, hosts)}
    for family in dict.fromkeys(host_facts.os.family for host_facts in facts.values()):
        strange = [name for name, host_facts in facts.items() if host_facts.os.family == family and name in meant]
        if strange and family not in scenario.families:
            text = f"{scenario.name} names no repositories for {family} hosts, of which there is: {some(strange)}"
            remedy = f"name them in the scenario (repositories.{family}), or leave these hosts out with --limit"
            yield Finding("family-without-repositories", "", "blocking", text, remedy)


def limits(
    scenario: Scenario, cloud: str, hosts: Sequence[Member], facts: Mapping[str, HostFacts], previews: Previews
) -> Iterable[Finding]:
    """Hosts of a cloud that a limit leaves out, and that share a database with hosts which are upgraded."""
    keeper = database_host(scenario, hosts)
    for stage in scenario.stages:
        transactions = (previews.get(selection.host, {}).get(stage.name) for selection in parts(stage, hosts, facts))
        if not stage.database or not any(transaction and transaction.changes for transaction in transactions):
            continue
        if not keeper:
            groups = ", ".join(scenario.database_groups) or "(none named)"
            where = f"group {groups}" + (f" of cloud {cloud}" if cloud else "")
            text = f"{stage.name}: database {stage.database} cannot be dumped: no host is in {where}"
            yield Finding("database-host-missing", "", "blocking", text, "put the database host into that group")
        first = {*members(stage.groups[:1], hosts), keeper} - {""}
        left_out = [host.name for host in hosts if host.name in first and host.name not in facts]
        may_be = [name for name in members(stage.groups[1:], hosts) if name not in facts and name not in first]
        if left_out:
            text = f"{stage.name}: {some(left_out)} left out, and shares database {stage.database}, which is migrated"
            yield Finding("limit-splits-stage", "", "blocking", text, "add them to --limit")
        if may_be:
            text = f"{stage.name}: {some(may_be)} left out, and may use database {stage.database}, which is migrated"
            yield Finding("limit-may-split-stage", "", "advisory", text, "add them to --limit")


def put_off(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> Iterable[Finding]:
    """Stages put off until other hosts are done, in a cloud with these `hosts`."""
    for stage in scenario.stages:
        waiting = awaited(scenario, stage, hosts, facts) if stage.after and parts(stage, hosts, facts) else ()
        if waiting:
            text = f"{stage.name} is put off, and the old repository stays there: first {some(waiting)} must be done"
            yield Finding("stage-put-off", "", "advisory", text, "plan again with those hosts, and without holds there")


def last_of_stages(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> Iterable[Finding]:
    """The only host of a stage in a cloud with these `hosts`: while it is upgraded, no other one serves."""
    for stage in scenario.stages:
        if stage.database or stage.after or any(name not in facts for name in members(stage.groups, hosts)):
            continue
        running = [
            selection.host for selection in parts(stage, hosts, facts) if any(unit.active for unit in selection.units)
        ]
        if len(running) == 1:
            text = f"is the only host of {stage.name} whose services run: meanwhile none takes its work"
            remedy = "bring up another one first, or say what is out meanwhile"
            yield Finding("last-compute", running[0], "advisory", text, remedy)
