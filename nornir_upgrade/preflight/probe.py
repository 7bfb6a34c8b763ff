"""Findings from the probe of each host. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.facts.probe import Probe, Worker
from nornir_upgrade.core.packaging.lock import LOCK_WAIT
from nornir_upgrade.core.packaging.model import PackageChange
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.state.places import AT_ONCE, BOUND
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.finding import LISTED, Finding, some
from nornir_upgrade.planner.selection import Member, database_host, parts
from nornir_upgrade.scenario.model import Scenario

from .host import interrupted

_SKEW = 5.0  # seconds that nobody minds
_TOO_FAR = 300.0  # seconds past which Kerberos, signed indexes and logs no longer agree (krb5.conf(5), clockskew)
_ITSELF = ("unattended-upgr", "do-release-upgr", "dnf-automatic", "yum-cron")
"""Tools that upgrade packages by themselves."""


def of_host(facts: HostFacts, probe: Probe | None) -> Iterable[Finding]:
    """Findings that need no preview; none of a host without a probe."""
    if not probe:
        return
    yield from _clock(probe)
    yield from _at_work(facts, probe)
    if probe.reboot:
        text = f"waits to be restarted, for: {some(probe.reboot)}"
        yield Finding("reboot-pending", probe.host, "advisory", text, "on the host, before: systemctl reboot")
    if probe.unchecked:
        text = f"takes packages whose signatures nobody checks, from: {some(probe.unchecked)}"
        yield Finding(
            "repository-unsigned",
            probe.host,
            "advisory",
            text,
            f"on the host: {family_of(facts.os.manager).remedies.checking}",
        )
    yield from _state(probe)


def of_changes(facts: HostFacts, probe: Probe, changes: Sequence[PackageChange]) -> Iterable[Finding]:
    """Findings about these changes of packages."""
    remedies, names = (
        family_of(facts.os.manager).remedies,
        {change.name for change in changes if change.old and change.new},
    )
    owners = {conffile.path: conffile.package for conffile in facts.conffiles}
    if edited := [path for path in probe.edited if owners.get(path) in names]:
        text = f"was edited there, and stays as it is when its package changes: {some(edited)}"
        remedy = "\n".join(("afterwards, on the host:", *_comparing(edited, remedies.beside)))
        yield Finding("conffile-edited", probe.host, "advisory", text, remedy)
    if probe.offered is not None:
        gone = {(change.name, change.old) for change in changes if change.old} - probe.offered
        if gone:
            text = f"is offered by none of its repositories: {some([f'{name} {old}' for name, old in sorted(gone)])}"
            fetch = f"rollback escrow fetch --limit {probe.host} {quote(_names(gone))}"
            remedy = f"nothing: a run keeps it for the way back; only with keep: none in config.yaml, before: {fetch}"
            yield Finding("version-unoffered", probe.host, "advisory", text, remedy)


def _comparing(paths: Sequence[str], beside: str) -> Iterable[str]:
    """One command a line, for as many paths as a finding names."""
    yield from (f"diff {quote([path, f'{path}{beside}'])}" for path in paths[:LISTED])
    if len(paths) > LISTED:
        yield f"and so for {len(paths) - LISTED} more"


def _state(probe: Probe) -> Iterable[Finding]:
    """Files that are too large for a capture, and captures that are too large."""
    by_size = sorted(probe.large, key=lambda entry: -entry[1])
    if by_size:
        named = some([f"{path} ({size >> 20} MiB)" for path, size in by_size])
        text = (
            f"larger than {AT_ONCE >> 20} MiB, so that a run does not capture it, and no way back restores it: {named}"
        )
        yield Finding(
            "not-captured", probe.host, "advisory", text, "move it out of there, where it is no configuration"
        )
    if probe.captured > BOUND:
        text = (
            f"a run would capture {probe.captured >> 20} MiB there, of /etc and the like; at most {BOUND >> 20} MiB are"
        )
        remedy = "on the host: du -xa /etc | sort -rn | head; move data out of there"
        yield Finding("state-too-big", probe.host, "blocking", text, remedy)


def of_databases(
    scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts], inspections: Mapping[str, Probe]
) -> Iterable[Finding]:
    """Findings about the databases of a cloud with these `hosts` that stages will dump."""
    wanted = databases(scenario, hosts, facts)
    probe = inspections.get(database_host(scenario, hosts))
    if not probe or not wanted:
        return
    if probe.refused:
        option = quote([f"--defaults-extra-file={scenario.defaults_file}"]) + " " if scenario.defaults_file else ""
        text = f"its databases cannot be asked: {probe.refused}"
        remedy = f"on the host: systemctl status mariadb; mariadb {option}-e 'SELECT 1'"
        yield Finding("database-unreachable", probe.host, "blocking", text, remedy)
    elif missing := [name for name in wanted if name not in probe.databases]:
        text = f"has no database {some(missing)}, which a stage would migrate"
        remedy = "on the host: mariadb -e 'SHOW DATABASES'; is it the first of the database hosts?"
        yield Finding("database-missing", probe.host, "blocking", text, remedy)


def databases(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> tuple[str, ...]:
    """The databases of those stages in which a host of a cloud with these `hosts` takes part."""
    names = (stage.database for stage in scenario.stages if stage.database and parts(stage, hosts, facts))
    return tuple(dict.fromkeys(names))


def _clock(probe: Probe) -> Iterable[Finding]:
    if abs(probe.skew) >= _SKEW:
        severity = "blocking" if abs(probe.skew) >= _TOO_FAR else "advisory"
        text = f"its clock is {abs(probe.skew):.0f} s {'ahead of' if probe.skew > 0 else 'behind'} the controller's"
        remedy = "on the host: timedatectl set-ntp true; timedatectl; is the controller's right?"
        yield Finding("clock-skew", probe.host, severity, text, remedy)  # type: ignore[arg-type]


def busy(probe: Probe | None) -> bool:
    """Whether somebody holds the package manager's lock there."""
    return probe is not None and any(worker.doing == "lock" for worker in probe.at_work)


def _at_work(facts: HostFacts, probe: Probe) -> Iterable[Finding]:
    """Processes that change packages. A script without its package manager was left by one that was killed."""
    by_kind = {
        kind: [worker for worker in probe.at_work if worker.doing == kind] for kind in ("lock", "script", "tool")
    }
    holders, scripts, tools = by_kind.values()
    pids = {worker.pid for worker in holders}
    if holders and (half := interrupted(facts)):
        text = f"packages are being changed there by {_told(holders)}, and not wholly installed yet: {some(half)}"
        yield Finding("package-manager-locked", probe.host, "blocking", text, f"wait for it to end: {_watch(holders)}")
    elif holders:
        text = f"packages are being changed there by {_told(holders)}; a run waits {LOCK_WAIT} s for it, and then stops"
        yield Finding("package-manager-locked", probe.host, "advisory", text, f"wait for it to end: {_watch(holders)}")
    elif scripts:
        text = f"a maintainer script runs there without its package manager: {_told(scripts)}"
        remedy = f"wait for it to end, or end it, then see to its package: {_watch(scripts)}"
        yield Finding("script-orphaned", probe.host, "blocking", text, remedy)
    if others := [worker for worker in tools if worker.pid not in pids]:
        itself = any(worker.name in _ITSELF for worker in others)
        text = f"others are about to change packages there: {_told(others)}"
        remedy = f"wait for it to end: {_watch(others)}"
        yield Finding("upgrade-by-others", probe.host, "blocking" if itself else "advisory", text, remedy)


def _told(workers: Sequence[Worker]) -> str:
    return some([f"{worker.name or 'a process'} (pid {worker.pid})" for worker in workers])


def _watch(workers: Sequence[Worker]) -> str:
    return f"on the host: ps -fp {','.join(str(worker.pid) for worker in workers)}"


def _names(gone: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({name for name, _ in gone})
