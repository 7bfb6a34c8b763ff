"""The planner of the way back of a fleet. Pure: from the snapshot, the state now, the journal and the manifests to a `Plan`.

The waves: stop services on all hosts; restore old repositories, databases and edits; one package transaction a host; remove new
repositories, check configuration and databases against their captures; start services that ran, in the old order; run the gates.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nornir_upgrade.core.facts.gather import HostFacts, Service
from nornir_upgrade.core.packaging.model import digest_of_packages
from nornir_upgrade.core.plan import Plan, Wave, Work, guard_against_drift
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.gates import AuditClean, ServiceActive
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from nornir_upgrade.steps.state import CaptureState
from rollback.manifest.model import Manifest
from rollback.manifest.transaction import leftovers, of_others, wants
from rollback.snapshot import Snapshot

from .expected import foretell
from .gates import checks
from .scope import Scope, litter, scope
from .undo_log import Trail, start_order, trail


def plan_rollback(
    snapshot: Snapshot,
    now: Mapping[str, HostFacts],
    runs: Sequence[Run],
    manifests: Mapping[str, Manifest],
    *,
    restore_db: bool = False,
    consent: frozenset[str] = frozenset(),
    clouds: Mapping[str, str] | None = None,
) -> Plan:
    """The plan that makes each host of `now` as `snapshot` recorded it, or as near to that as its manifest leads.

    `runs`: those since the snapshot, oldest first, whatever their status. `manifests`: by host. `clouds`: host -> name, '' for none.
    Databases are restored only with `restore_db`, and in a cloud only after all its hosts have stopped their services. If one fails
    to stop, the others wait. Raises `Irreversible` if a run passed a point of no return on a host that is not in `consent`,
    `Unobtainable` if a manifest is not solved.
    """
    hosts = tuple(
        _host(snapshot.of(name), now[name], manifests[name], trail(runs, name, consent=consent))
        for name in _in_order(runs, now)
    )
    managers = {name: facts.os.manager for name, facts in now.items()}
    waves = [
        Wave("stop services", _work(hosts, lambda host: host.stop())),
        Wave(
            "old repositories, databases, edits",
            _work(hosts, lambda host: host.before_packages(restore_db)),
            together=_sharing(hosts, clouds or {}) if restore_db else (),
        ),
        _with_audit(Wave("packages", _work(hosts, lambda host: host.packages())), managers),
        _with_audit(
            Wave("new repositories off, configuration", _work(hosts, lambda host: host.after_packages(restore_db))),
            managers,
        ),
        *_starts(hosts, runs),
        Wave("state", _work(hosts, lambda host: host.noted())),
    ]
    touched = {name for wave in waves for name in wave.hosts}
    waves.append(_checked([host for host in hosts if host.name in touched], runs))
    guarded = guard_against_drift(
        (wave for wave in waves if wave.work), lambda host: digest_of_packages(now[host].packages)
    )
    return Plan("rollback", snapshot.id, guarded)


@dataclass(frozen=True, slots=True)
class _Host:
    """One host's way back, in pieces. `services`: every service that may run or start meanwhile, by its old and new names.

    `end`: its facts afterwards. `litter`: paths beside configuration files where no file may be left.
    """

    end: HostFacts
    now: HostFacts
    manifest: Manifest
    trail: Trail
    services: tuple[str, ...]
    litter: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.now.host

    def stop(self) -> tuple[Step, ...]:
        want = tuple(ServiceWant(name, active=False) for name in self.services)
        return (SetServices(want),) if want else ()

    def before_packages(self, restore_db: bool) -> tuple[Step, ...]:
        return (
            *self.captures(),
            *self.state_captured(),
            *(step for step in self.trail.repositories if _present(step)),
            *(self.databases() if restore_db else ()),
            *reversed(self.trail.edits),
            *self.configuration,
            *((self.trail.state.ahead,) if self.trail.state else ()),
            *reversed(self.trail.others),
        )

    def databases(self) -> tuple[Step, ...]:
        """The restores of the databases, before the scripts of the old packages run. If the server itself is downgraded, only dumps: an
        older server sets aside the data of a newer one and starts empty, and each version writes dumps of its own form.
        """
        if not any(c.name.startswith("mariadb-server") and c.installed != c.target for c in self.manifest.changes):
            return self.trail.databases
        return tuple(DumpDatabase(restore.database, restore.defaults_file) for restore in self.trail.databases)

    def captures(self) -> tuple[Step, ...]:
        """Captures of what will be restored, so that the way back can be undone itself."""
        return tuple(
            CaptureFiles(restore.roots, f"{self.name}: {', '.join(restore.roots)}") for restore in self.trail.captures
        )

    def state_captured(self) -> tuple[CaptureState, ...]:
        """The capture of the state beside packages: it saves what others changed since, even if the way back replaces it."""
        state = self.trail.state
        return (CaptureState(self._capture, state.configuration, manager=state.manager),) if state else ()

    def noted(self) -> tuple[Step, ...]:
        """Captures of the state at the end, so that a later way back knows what others changed since."""
        return tuple(replace(taken, end=True) for taken in self.state_captured())

    @property
    def _capture(self) -> str:
        return f"state of {self.name} before the way back" if self.trail.state else ""

    @property
    def configuration(self) -> tuple[Step, ...]:
        """The restores of the captures, the earliest last, so that its files win.

        They run before the packages: a conffile that only the new version has must be removed by then, or dpkg remembers it as
        removed by somebody. They run after them too: maintainer scripts may have changed the other files.
        """
        return tuple(reversed(self.trail.captures))

    def packages(self) -> tuple[Step, ...]:
        wanted = (wants(self.manifest, self.now), leftovers(self.manifest, self.now))
        return tuple(
            SetPackages(
                want,
                self.services,
                downgrade=True,
                configuration=self._capture,
                manager=self.now.os.manager,
                theirs=of_others(self.manifest, want),
            )
            for want in wanted
            if want
        )

    def after_packages(self, restore_db: bool) -> tuple[Step, ...]:
        return (
            *(step for step in self.trail.repositories if not _present(step)),
            *((RestoreFiles(self.litter, ()),) if self.litter else ()),
            *self.configuration,
            *((replace(self.trail.state, before=self._capture),) if self.trail.state else ()),
            *(self.trail.databases if restore_db else ()),
        )

    def start(self, names: Iterable[str]) -> tuple[ServiceWant, ...]:
        """The wanted state of those of `names` that exist afterwards: as in the snapshot."""
        known = {service.name: service for service in self.end.services}
        words = {"enabled": True, "disabled": False}
        return tuple(
            ServiceWant(name, known[name].active, words.get(known[name].enabled)) for name in names if name in known
        )


def _host(then: HostFacts, now: HostFacts, manifest: Manifest, left: Trail) -> _Host:
    about = scope(manifest, then, now)
    changed = _own_units(then.services, now.services) + _own_units(now.services, then.services)
    left = about.trail(left)
    changed += _idle(then.services, about)
    services = dict.fromkeys(
        (*left.services, *(name for name in changed if about.names(name) and not about.holds(name)))
    )
    return _Host(foretell(then, now, manifest), now, manifest, left, tuple(services), _litter(then, now, about, left))


def _litter(then: HostFacts, now: HostFacts, about: Scope, left: Trail) -> tuple[str, ...]:
    """The paths beside configuration files that no capture restores by itself."""
    trees = [root.rstrip("/") + "/" for restore in left.captures for root in restore.roots]
    paths = litter(then, now, about.moving - about.staying)
    return tuple(path for path in paths if not any(f"{path}/".startswith(tree) for tree in trees))


def _own_units(here: Iterable[Service], there: Iterable[Service]) -> tuple[str, ...]:
    """Running services of `here` that `there` does not know: packages add and remove them. Sessions, instances of templates and
    transient units are left out: they start and end by themselves, and are not enabled.
    """
    known = {service.name for service in there}
    return tuple(
        s.name for s in here if s.active and s.enabled == "enabled" and "@" not in s.name and s.name not in known
    )


def _idle(then: Iterable[Service], about: Scope) -> tuple[str, ...]:
    """Enabled services that did not run, and that scripts of their packages may start."""
    still = (service.name for service in then if not service.active and service.enabled == "enabled")
    return tuple(name for name in still if about.called(name, about.moving))


def _starts(hosts: Sequence[_Host], runs: Sequence[Run]) -> Iterable[Wave]:
    """A wave for each forward wave that started services, then one for services that no run started."""
    waiting = {host.name: dict.fromkeys(host.services) for host in hosts}
    for wave, services in start_order(runs):
        due: dict[str, list[str]] = {}
        for host, service in services:
            if service in waiting.get(host, {}):
                del waiting[host][service]
                due.setdefault(host, []).append(service)
        yield _start(f"start {wave.partition(':')[0]}", hosts, due)
    yield _start("start the rest", hosts, waiting)


def _start(name: str, hosts: Sequence[_Host], due: Mapping[str, Iterable[str]]) -> Wave:
    want = {host.name: host.start(due.get(host.name, ())) for host in hosts}
    work = tuple(Work(host, (SetServices(services),)) for host, services in want.items() if services)
    running = {host: tuple(ServiceActive(service.name) for service in want[host] if service.active) for host in want}
    return Wave(name, work, tuple(Work(host, gates) for host, gates in running.items() if gates))


def _checked(hosts: Sequence[_Host], runs: Sequence[Run]) -> Wave:
    """The wave of gates, after all services have started: those of the forward runs, for the old versions."""
    due = {host.name: checks(runs, host.end, host.now, host.services) for host in hosts}
    gates = tuple(Work(host, steps) for host, steps in due.items() if steps)
    return Wave("verify", tuple(Work(gated.host, ()) for gated in gates), gates)


def _work(hosts: Sequence[_Host], steps: Callable[[_Host], tuple[Step, ...]]) -> tuple[Work, ...]:
    return tuple(Work(host.name, due) for host in hosts if (due := steps(host)))


def _sharing(hosts: Sequence[_Host], clouds: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The hosts of each cloud that has databases to restore."""
    near: dict[str, list[_Host]] = {}
    for host in hosts:
        near.setdefault(clouds.get(host.name, ""), []).append(host)
    return tuple(
        tuple(host.name for host in group) for group in near.values() if any(host.trail.databases for host in group)
    )


def _with_audit(wave: Wave, managers: Mapping[str, str]) -> Wave:
    return Wave(wave.name, wave.work, tuple(Work(host, (AuditClean(manager=managers[host]),)) for host in wave.hosts))


def _present(step: SetRepository) -> bool:
    return step.text is not None or bool(step.digest)


def _in_order(runs: Sequence[Run], now: Mapping[str, HostFacts]) -> tuple[str, ...]:
    """The hosts of `now`, in the order in which the runs first touch them, then the others by name."""
    touched = [host for run in runs for host in run.plan.hosts]
    return tuple(dict.fromkeys(host for host in (*touched, *sorted(now)) if host in now))
