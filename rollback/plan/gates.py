"""Gates of a way back: those of the forward runs, asked again of the versions that a host has afterwards. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.gates import CommandSucceeds, HttpStatus, PortOpen, ServicesKept


def checks(runs: Iterable[Run], end: HostFacts, now: HostFacts, started: Sequence[str]) -> tuple[Step, ...]:
    """The gates that must pass on a host once `end` is true of it: those of `runs`, and one for each service that runs now and in
    `end`. Services in `started` are left out: the way back starts them itself."""
    running = {service.name for service in end.services if service.active}
    versions = {package.name: package.version for package in end.packages if package.unpacked}
    gates = (_as_of(gate, running, versions) for run in runs for gate in _gates(run, end.host))
    still = {service.name for service in now.services if service.active}.difference(started)
    others = tuple(name for name in sorted(running & still))
    kept = (ServicesKept(others),) if others else ()
    return (*dict.fromkeys(gate for gate in gates if gate), *kept)


def _gates(run: Run, host: str) -> Iterator[Step]:
    """The gates of a forward run on `host`; a way back has none."""
    if run.plan.direction == "forward":
        yield from (gate for wave in run.plan.waves for work in wave.gates if work.host == host for gate in work.steps)


def _as_of(gate: Step, running: set[str], versions: dict[str, str]) -> Step | None:
    """The gate for these versions; None if it checks nothing then: its service does not run, or it names no service.

    Older plans have gates without services. Of these only the status counts: the answer that they expect is the new version's.
    """
    match gate:
        case CommandSucceeds():
            return gate
        case PortOpen() if not gate.services or running.intersection(gate.services):
            return gate
        case HttpStatus() if gate.services and running.intersection(gate.services):
            version = next((versions[name] for name in gate.packages if name in versions), "")
            return replace(gate, contains=gate.says.replace("{version}", version)) if gate.says else gate
        case HttpStatus() if not gate.services:
            return replace(gate, contains="")
    return None
