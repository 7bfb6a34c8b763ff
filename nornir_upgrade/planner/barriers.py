"""Phases: work that the hosts of a stage do together. Every host ends a phase before any host begins the next one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nornir_upgrade.core.plan import Wave, Work
from nornir_upgrade.core.step import Step

Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps by host, in the order of hosts, and the gates after them. `label` names the work in one word.

    `together`: the phase begins only after every host of the cloud has ended the phases before."""

    label: str
    work: Mapping[str, Steps]
    gates: Mapping[str, Steps]
    together: bool = False

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that have something to do."""
        return frozenset(host for host, steps in self.work.items() if steps)

    def then(self, later: "Phase") -> "Phase":
        """Both phases as one: each host does its steps one after the other. Gates of both are asked once."""
        return Phase(
            ", ".join(filter(None, (self.label, later.label))),
            {host: self.work.get(host, ()) + later.work.get(host, ()) for host in {**self.work, **later.work}},
            {
                host: tuple(dict.fromkeys(self.gates.get(host, ()) + later.gates.get(host, ())))
                for host in {**self.gates, **later.gates}
            },
            self.together or later.together,
        )


def waves(stage: str, phases: Iterable[Phase], clouds: Iterable[frozenset[str]]) -> tuple[Wave, ...]:
    """The waves of the stage called `stage`: as few as keep every barrier.

    Hosts wait for the others of their cloud; where each cloud has one host in two phases, there is no barrier between these.
    """
    merged: list[Phase] = []
    apart = tuple(clouds)
    for phase in phases:
        if not phase.hosts:
            continue
        if merged and all(len(cloud & (merged[-1].hosts | phase.hosts)) <= 1 for cloud in apart):
            merged[-1] = merged[-1].then(phase)
        else:
            merged.append(phase)
    groups = _groups(merged, apart)
    return tuple(
        _wave(f"{stage}: {phase.label}" if len(merged) > 1 else stage, phase, groups if phase.together else ())
        for phase in merged
    )


def rolling(stage: str, batches: Iterable[Phase]) -> tuple[Wave, ...]:
    """A wave for each batch of hosts that go by themselves."""
    phases = tuple(batches)
    return tuple(
        _wave(f"{stage} {number}/{len(phases)}" if len(phases) > 1 else stage, batch)
        for number, batch in enumerate(phases, 1)
    )


def _groups(phases: Iterable[Phase], clouds: Iterable[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """The hosts of each cloud that have something to do in any of `phases`."""
    hosts = sorted(frozenset().union(*(phase.hosts for phase in phases)))
    groups = (tuple(host for host in hosts if host in cloud) for cloud in clouds)
    return tuple(group for group in groups if len(group) > 1)


def _wave(name: str, phase: Phase, together: tuple[tuple[str, ...], ...] = ()) -> Wave:
    return Wave(name, _work(phase.work), _work(phase.gates), together)


def _work(by_host: Mapping[str, Steps]) -> tuple[Work, ...]:
    return tuple(Work(host, steps) for host, steps in by_host.items() if steps)
