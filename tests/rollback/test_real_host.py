"""A real host's packages, upgraded by apt in simulation: the way back is exact, or near, and apt takes every plan unchanged."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from nornir_upgrade.core.facts import HostFacts
from rollback.catalog import Catalog
from rollback.nearest import Nearest
from rollback.resolve import Manifest, wants
from rollback.universe import Deb

from .real_host import ASKED, RealHost, State, as_facts, important, read
from .worlds import offering

pytestmark = pytest.mark.soak


@dataclass(frozen=True)
class Upgrade:
    """A host before and after, and all that is known of its packages."""

    host: RealHost
    suites: str
    before: State
    after: State
    asked: tuple[str, ...]
    known: dict[tuple[str, str, str], Deb]

    def back(self, lost: set[tuple[str, str, str]]) -> tuple[Manifest, HostFacts, float]:
        """The manifest with these versions lost, the host as it is, and the seconds that it took."""
        then, now = as_facts(self.before, self.asked), as_facts(self.after, self.asked)
        offered = self.offered(lost)
        began = time.perf_counter()
        manifest = Nearest()(then, now, offered, {"snapshot": "s"})
        return manifest, now, time.perf_counter() - began

    def offered(self, lost: set[tuple[str, str, str]]) -> Catalog:
        present = [self.known[(*key, version)] for key, version in self.after.items()]
        return offering([one for key, one in self.known.items() if key not in lost], present)

    @property
    def changed(self) -> list[tuple[str, str, str]]:
        return sorted((*key, v) for key, v in self.before.items() if self.after.get(key) != v)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> RealHost:
    made = RealHost(tmp_path_factory.mktemp("real"))
    made.fetch()
    return made


@pytest.fixture(scope="module", params=["security", "trixie"])
def upgrade(host: RealHost, request: pytest.FixtureRequest) -> Iterator[Upgrade]:
    host.installed(())
    old = host.index("bookworm")
    asked = (*important(old), *ASKED)
    before = host.after("bookworm", {}, "install", *asked)
    known = read(old, {name for name, _ in before})
    host.installed(known[(*key, version)] for key, version in before.items())
    after = host.after(request.param, before, "dist-upgrade")
    known = read(host.index(request.param), {name for name, _ in (*before, *after)})
    host.installed(known[(*key, version)] for key, version in after.items())
    yield Upgrade(host, request.param, before, after, asked, known)


def end(manifest: Manifest) -> dict[tuple[str, str], str]:
    return {(c.target_name, c.arch): c.target for c in manifest.changes if c.target and c.action != "remove"}


@pytest.mark.parametrize("percent", [0, 1, 5, 20, 50])
def test_apt_takes_the_plan_as_it_is(upgrade: Upgrade, percent: int, record_property) -> None:  # type: ignore[no-untyped-def]
    assert len(upgrade.before) > 1000 and len(upgrade.changed) > 50
    lost = random.Random(1).sample(upgrade.changed, round(len(upgrade.changed) * percent / 100))
    manifest, now, seconds = upgrade.back(set(lost))
    planned = end(manifest)
    deviating = {key for key in upgrade.before.keys() | planned.keys() if upgrade.before.get(key) != planned.get(key)}
    gone = sum(key not in planned for key in upgrade.before)
    figures = f"{upgrade.suites} {percent} %: {len(deviating)} deviate, {gone} lost, {seconds:.2f} s"
    record_property("figures", figures)
    print(figures)
    assert not manifest.problems
    assert {name for name, _ in deviating} == {name for one in manifest.deviations for name in one.packages}
    assert upgrade.host.takes(upgrade.suites, wants(manifest, now), upgrade.after) == planned


# What is lost, and how many packages may deviate, by two upgrades.
@pytest.mark.parametrize(
    ("suites", "name", "most"),
    [
        ("security", "libperl5.36", 4),
        ("trixie", "htop", 8),
        ("trixie", "python3-keystone", 3),
        ("trixie", "mariadb-server-core", 21),
        ("trixie", "libssl3", 16),
        ("trixie", "libc6", 7),
    ],
)
def test_one_lost_version_moves_no_more_than_it_must(upgrade: Upgrade, suites: str, name: str, most: int) -> None:
    if upgrade.suites != suites:
        pytest.skip(f"{name} does not change")
    manifest, now, _ = upgrade.back({key for key in upgrade.changed if key[0] == name})
    deviating = [
        c
        for c in manifest.changes
        if upgrade.before.get((c.name, c.arch), "") != end(manifest).get((c.name, c.arch), "")
    ]
    assert 1 <= len(deviating) <= most
    assert all(change.why for change in deviating)
    assert upgrade.host.takes(upgrade.suites, wants(manifest, now), upgrade.after) == end(manifest)
