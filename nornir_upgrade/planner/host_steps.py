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
    """Its services, under whichever name they run.

    A unit whose package is removed under its old name is disabled here, so that this can be undone. A scriptlet of the
    package (%systemd_preun of rpm) would disable it too, and report nothing."""
    going = {scenario.renamed(package.name) for package in task.want if package.goal != "installed"}
    want = tuple(
        ServiceWant(service.name, active=False, enabled=False if _leaves(unit, service, going) else None)
        for unit in task.units
        for service in unit.present
    )
    return (SetServices(want),) if want else ()


def _leaves(unit: Unit, service: Service, going: Set[str]) -> bool:
    """Whether the enabled unit `service` is removed with its package; `going`: the new names of removed packages."""
    old = service.name == unit.service.was and service.enabled == "enabled"
    return old and not going.isdisjoint(unit.service.packages)


def capture(stage: Stage, task: HostWork) -> Steps:
    """The state of the host beside packages, with the configuration that the stage names; nothing where no package changes."""
    return (CaptureState(_state(stage, task), stage.configuration, manager=task.manager),) if task.want else ()


def _state(stage: Stage, task: HostWork) -> str:
    """The name under which the host's state is captured in the stage."""
    return f"state of {task.host} before {stage.name}"


def note(work: Work) -> Steps:
    """A second capture at the end of the run, of the same places."""
    captured = [step for step in work.steps if isinstance(step, CaptureState)]
    configuration = dict.fromkeys(root for step in captured for root in step.configuration)
    last = f"state of {work.host} at the end"
    return (CaptureState(last, tuple(configuration), end=True, manager=captured[0].manager),) if captured else ()


def change(stage: Stage, task: HostWork) -> Steps:
    """The new repositories, where these are its first packages, then the packages in one transaction."""
    if not task.want:
        return ()
    stopped = tuple(dict.fromkeys(name for unit in task.units for name in unit.service.names))
    coming = task.switch.coming if task.first else {}
    switch = (SetRepository(path, text) for path, text in coming.items())
    captured = _state(stage, task)
    packages = SetPackages(task.want, keep_stopped=stopped, configuration=captured, manager=task.manager)
    return (*switch, packages)


def edits(stage: Stage, task: HostWork) -> Steps:
    """Edits of files, after the packages that installed them; nothing where the host has no service that reads them."""
    if not task.units or not (task.want or stage.after):
        return ()
    return tuple(SetOption(edit.path, edit.section, edit.option, edit.value) for edit in stage.edits)


def start(task: HostWork) -> Steps:
    """The services start under their new names."""
    want = tuple(_as_before(unit) for unit in task.units)
    return (SetServices(want),) if want else ()


def _as_before(unit: Unit) -> ServiceWant:
    """The service as it was, under its new name: running or not, enabled or not. Maintainer scripts would enable it."""
    return ServiceWant(unit.service.name, unit.active, unit.enabled if unit.changes_name else None)


def verify(task: HostWork) -> Steps:
    """The gates after the packages: services that ran work again, and no package is half installed."""
    gates: list[Step] = []
    for unit in (unit for unit in task.units if unit.active):
        gates += _gates(unit.service, task)
    if not task.want:
        return tuple(gates)
    kept = (ServicesKept(task.running),) if task.running else ()
    return (*gates, *kept, AuditClean(manager=task.manager))


def _gates(service: CatalogueService, task: HostWork) -> Iterator[Step]:
    """The gates of one service. Each waits as long as the service may take to start."""
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
