"""The steps of one host in a stage, each kind in a function of its own. Pure."""

from collections.abc import Iterator, Mapping, Set

from nornir_upgrade.core.facts.gather import Service
from nornir_upgrade.core.plan import Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.scenario.model import CatalogueService, Scenario, Stage
from nornir_upgrade.steps.gates import AuditClean, HttpStatus, PortOpen, ServiceActive, ServicesKept
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from nornir_upgrade.steps.state import CaptureState

from .barriers import Steps
from .host_work import HostWork
from .selection import Unit


def stop(scenario: Scenario, task: HostWork) -> Steps:
    """Its services, by whichever name they run. A unit whose package goes under its old name starts at boot no more, which is
    said here so that it can be undone: rpm's scriptlets (%systemd_preun) would disable it as well, and tell nobody."""
    going = {scenario.renamed(one.name) for one in task.want if one.goal != "installed"}
    want = tuple(
        ServiceWant(one.name, active=False, enabled=False if _leaves(unit, one, going) else None)
        for unit in task.units
        for one in unit.present
    )
    return (SetServices(want),) if want else ()


def _leaves(unit: Unit, one: Service, going: Set[str]) -> bool:
    """Whether the enabled unit `one` goes with its package; `going`: the new names of packages that go."""
    old = one.name == unit.service.was and one.enabled == "enabled"
    return old and not going.isdisjoint(unit.service.packages)


def capture(stage: Stage, task: HostWork) -> Steps:
    """Its state beside packages, where these change, with the configuration that the stage names."""
    return (CaptureState(_state(stage, task), stage.configuration, manager=task.manager),) if task.want else ()


def _state(stage: Stage, task: HostWork) -> str:
    """The name under which the host's state is captured in the stage."""
    return f"state of {task.host} before {stage.name}"


def note(work: Work) -> Steps:
    """What the run leaves of what it captured on a host."""
    captured = [step for step in work.steps if isinstance(step, CaptureState)]
    configuration = dict.fromkeys(root for step in captured for root in step.configuration)
    last = f"state of {work.host} at the end"
    return (CaptureState(last, tuple(configuration), end=True, manager=captured[0].manager),) if captured else ()


def change(stage: Stage, task: HostWork) -> Steps:
    """The new repositories, before the first packages, and these in one transaction."""
    if not task.want:
        return ()
    stopped = tuple(dict.fromkeys(name for unit in task.units for name in unit.service.names))
    coming = task.switch.coming if task.first else {}
    switch = (SetRepository(path, text) for path, text in coming.items())
    captured = _state(stage, task)
    packages = SetPackages(task.want, keep_stopped=stopped, configuration=captured, manager=task.manager)
    return (*switch, packages)


def edits(stage: Stage, task: HostWork) -> Steps:
    """Files are edited where a service reads them, once its packages have brought them."""
    if not task.units or not (task.want or stage.after):
        return ()
    return tuple(SetOption(edit.path, edit.section, edit.option, edit.value) for edit in stage.edits)


def start(task: HostWork) -> Steps:
    """Its services under their new names."""
    want = tuple(_as_before(unit) for unit in task.units)
    return (SetServices(want),) if want else ()


def _as_before(unit: Unit) -> ServiceWant:
    """Under its new name a service runs if it ran, and starts at boot if it did: maintainer scripts enable what they install."""
    return ServiceWant(unit.service.name, unit.active, unit.enabled if unit.changes_name else None)


def verify(task: HostWork) -> Steps:
    """What must hold afterwards of the services that ran, and of the packages."""
    gates: list[Step] = []
    for unit in (unit for unit in task.units if unit.active):
        gates += _gates(unit.service, task)
    if not task.want:
        return tuple(gates)
    kept = (ServicesKept(task.running),) if task.running else ()
    return (*gates, *kept, AuditClean(manager=task.manager))


def _gates(service: CatalogueService, task: HostWork) -> Iterator[Step]:
    """What tells that a service works; each waits as long as it takes to start."""
    wait = float(service.timeout)
    yield ServiceActive(service.name, wait)
    if service.port:
        yield PortOpen(service.port, timeout=wait, services=service.names)
    if service.port and service.path:
        yield HttpStatus(
            f"http://127.0.0.1:{service.port}{service.path}",
            service.status,
            service.says.replace("{version}", _version(service, task.versions)),
            wait,
            service.names,
            service.says if "{version}" in service.says else "",
            (*service.packages, *task.former.get(service.name, ())) if "{version}" in service.says else (),
        )


def _version(service: CatalogueService, versions: Mapping[str, str]) -> str:
    """The version of the service's package, by whichever of its names the host has."""
    return versions.get(service.package) or versions.get(service.name, "")
