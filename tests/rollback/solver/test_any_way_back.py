"""Any upgrade, any interruption, any version lost: the snapshot is back, or every package that deviates is named with a reason."""

from dataclasses import replace

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.deb.dependencies import DebPackage
from nornir_upgrade.core.packaging.model import Package, PackageName, State
from rollback.manifest.model import Manifest
from rollback.packaging.deb.clauses import DebRules
from rollback.solver.encoding import encode
from rollback.solver.nearest import Nearest
from rollback.solver.problem import scene_of
from tests.builders import facts, package
from tests.rollback.manifest.test_model import applied
from tests.rollback.worlds import NATIVE, debs, installed, offering

STATES: tuple[State, ...] = ("installed", "unpacked", "half-configured", "half-installed", "config-files")


def standing(found: list[DebPackage]) -> list[DebPackage]:
    """As many of `found` as stand together, taken one after the other; those that need what comes later are left out."""
    kept: list[DebPackage] = []
    for _ in range(2):
        for one in found:
            more = [*kept, one]
            if one not in kept and not encode(more, (), DebRules(NATIVE), ()).violated(range(1, len(more) + 1)):
                kept = more
    return kept


class AnyWayBack(RuleBasedStateMachine):
    """A host that begins as the snapshot says, and goes any way from there."""

    @initialize(found=st.lists(debs((NATIVE,)), min_size=2, max_size=8, unique_by=lambda one: (one.key, one.version)))
    def record(self, found: list[DebPackage]) -> None:
        self.world = {(one.name, one.arch, one.version): one for one in found}
        self.had = dict(self.world)
        self.then = facts(packages=[installed(one) for one in standing(found)])
        self.now = {one.key: one for one in self.then.packages}

    @rule(data=st.data(), state=st.sampled_from(STATES), broken=st.booleans())
    def unpack(self, data: st.DataObject, state: State, broken: bool) -> None:
        one = data.draw(st.sampled_from(sorted(self.world)))
        made = replace(package(one[0], one[2], state, arch=one[1]), broken=broken and state == "half-installed")
        for key in [key for key in self.now if key.name == made.name]:
            del self.now[key]
        self.now[made.key] = made

    @precondition(lambda self: self.now)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        del self.now[data.draw(st.sampled_from(sorted(self.now)))]

    @precondition(lambda self: self.had)
    @rule(data=st.data())
    def lose_a_version(self, data: st.DataObject) -> None:
        del self.had[data.draw(st.sampled_from(sorted(self.had)))]

    @invariant()
    def the_way_back_is_exact_or_told(self) -> None:
        now = facts(packages=self.now.values())
        offered = offering(self.had.values(), self.world.values())
        manifest = Nearest()(self.then, now, offered, {"snapshot": "s"})
        keys = [(change.name, change.arch) for change in manifest.changes]
        assert keys == sorted({(one.name, one.arch) for one in (*self.then.packages, *now.packages)})
        assert not manifest.problems  # nothing is essential here, so that removal always is a way out
        end = applied(manifest, now)
        self._stands(end)
        self._is_told(manifest, end, now)

    @invariant()
    def to_look_at_what_is_wanted_is_enough(self) -> None:
        now, offered = facts(packages=self.now.values()), offering(self.had.values(), self.world.values())
        whole, narrow = (scene_of(self.then, now, offered, straight=straight) for straight in (False, True))
        assert bool(whole.encoding.violated(whole.wanted)) == bool(narrow.encoding.violated(narrow.wanted))

    def _stands(self, end: dict[PackageName, Package]) -> None:
        there = [self.world[one.name, one.arch, one.version] for one in end.values() if one.unpacked]
        assert not encode(there, (), DebRules(NATIVE), ()).violated(range(1, len(there) + 1))
        assert all(one.state in ("installed", "config-files") for one in end.values())

    def _is_told(self, manifest: Manifest, end: dict[PackageName, Package], now: HostFacts) -> None:
        before = {one.key: one for one in self.then.packages}
        differing = {key.name for key in before.keys() | end.keys() if before.get(key) != end.get(key)}
        told = {name for one in manifest.deviations for name in one.packages}
        assert differing == told
        reasons = {change.name for change in manifest.changes if change.why}
        assert told <= reasons


AnyWayBack.TestCase.settings = settings(
    max_examples=40, stateful_step_count=8, deadline=None, phases=[Phase.explicit, Phase.generate]
)
TestAnyWayBack = AnyWayBack.TestCase
