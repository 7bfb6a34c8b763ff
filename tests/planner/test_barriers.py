"""Barriers: whoever shares a cloud waits for each other between phases, and nobody waits for anybody else's cloud for nothing."""

from dataclasses import dataclass
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.planner.barriers import Phase, waves

HOSTS = ("a1", "a2", "b1", "b2", "c1")
CLOUDS = st.lists(st.sampled_from("xyz"), min_size=len(HOSTS), max_size=len(HOSTS)).map(
    lambda names: [frozenset(host for host, of in zip(HOSTS, names, strict=True) if of == cloud) for cloud in "xyz"]
)
PHASES = st.lists(st.frozensets(st.sampled_from(HOSTS)), max_size=6)


@dataclass(frozen=True, slots=True)
class Mark(Step, kind="test_phase"):
    """Phase `number` came by."""

    number: int
    kind: Literal["test_phase"] = "test_phase"

    def observe(self, host: Host, store: Store) -> None:
        """Nothing is looked at."""

    def apply(self, host: Host, store: Store) -> None:
        """Nothing is done."""

    def describe(self) -> str:
        return f"phase {self.number}"


def laid_out(members: list[frozenset[str]], clouds: list[frozenset[str]]) -> list[tuple[int, int, str, int]]:
    """(wave, place in its work, host, phase) of each step."""
    phases = [
        Phase(f"p{number}", {host: (Mark(number),) for host in sorted(hosts)}, {})
        for number, hosts in enumerate(members)
    ]
    return [
        (number, place, work.host, step.number)
        for number, wave in enumerate(waves("stage", phases, clouds))
        for work in wave.work
        for place, step in enumerate(work.steps)
        if isinstance(step, Mark)
    ]


@given(PHASES, CLOUDS)
def test_a_later_phase_waits_for_the_earlier_one_of_its_cloud(
    members: list[frozenset[str]], clouds: list[frozenset[str]]
) -> None:
    steps = laid_out(members, clouds)
    assert {(host, phase) for _, _, host, phase in steps} == {
        (host, number) for number, hosts in enumerate(members) for host in hosts
    }
    for wave, place, host, phase in steps:
        for other_wave, other_place, other, later in steps:
            if phase < later and any({host, other} <= cloud for cloud in clouds):
                assert wave < other_wave or (host == other and wave == other_wave and place < other_place)


@given(PHASES)
def test_clouds_of_one_host_each_do_all_in_one_wave(members: list[frozenset[str]]) -> None:
    steps = laid_out(members, [frozenset({host}) for host in HOSTS])
    assert {wave for wave, _, _, _ in steps} <= {0}


@given(PHASES)
def test_in_one_cloud_of_several_hosts_only_phases_of_one_host_go_together(members: list[frozenset[str]]) -> None:
    steps = laid_out(members, [frozenset(HOSTS)])
    for number in {wave for wave, _, _, _ in steps}:
        here = [(host, phase) for wave, _, host, phase in steps if wave == number]
        assert len({host for host, _ in here}) == 1 or len({phase for _, phase in here}) == 1
