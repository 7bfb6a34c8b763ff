"""Checks: the gates of the runs forward, asked again once a host is back, of the versions that it has then. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.gates import CommandSucceeds, HttpStatus, PortOpen, ServicesKept


def checks(runs: Iterable[Run], end: HostFacts, now: HostFacts, started: Sequence[str]) -> tuple[Step, ...]:
    """What must hold on a host once `end` is true of it: the gates of `runs` there, and that every other service still runs that
    ran then and runs `now`; `started` are those that the way back starts itself."""
    running = {one.name for one in end.services if one.active}
    versions = {one.name: one.version for one in end.packages if one.unpacked}
    found = (_as_of(gate, running, versions) for run in runs for gate in _gates(run, end.host))
    still = {one.name for one in now.services if one.active}.difference(started)
    others = tuple(name for name in sorted(running & still))
    kept = (ServicesKept(others),) if others else ()
    return (*dict.fromkeys(gate for gate in found if gate), *kept)


def _gates(run: Run, host: str) -> Iterator[Step]:
    """Those of a run forward."""
    if run.plan.direction == "forward":
        yield from (gate for wave in run.plan.waves for one in wave.gates if one.host == host for gate in one.steps)


def _as_of(gate: Step, running: set[str], versions: dict[str, str]) -> Step | None:
    """The gate once the host has these versions; None where it says nothing then: its service does not run, or it is of no service.

    A plan that was written before gates knew their services says what the new version answers, but for its status.
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
