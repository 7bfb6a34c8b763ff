"""A real host's packages, upgraded by apt in simulation: the way back is exact, or near, and apt takes every plan unchanged."""

import random
from statistics import median

import pytest
from pysat.examples.rc2 import RC2Stratified
from pysat.formula import WCNF

from benchmarks.real_host import RealHost, State, Upgrade, Version, upgrade
from rollback.nearest import Nearest
from rollback.resolve import Manifest
from rollback.scene import Scene, scene
from rollback.wants import wants

pytestmark = pytest.mark.soak

SEEDS = range(1, 6)
TO = {"snapshot": "s"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> RealHost:
    made = RealHost(tmp_path_factory.mktemp("real"))
    made.fetch()
    return made


@pytest.fixture(scope="module", params=["security", "trixie"])
def upgraded(host: RealHost, request: pytest.FixtureRequest) -> Upgrade:
    made = upgrade(host, request.param)
    assert len(made.before) > 1000 and len(made.changed) > 50
    return made


def lost(upgraded: Upgrade, percent: int, seed: int = 1) -> set[Version]:
    """Versions that can no more be had, at random."""
    changed = upgraded.changed
    return set(random.Random(seed).sample(changed, round(len(changed) * percent / 100)))


def back(upgraded: Upgrade, lost: set[Version]) -> Manifest:
    return Nearest()(upgraded.then, upgraded.now, upgraded.offered(lost), TO)


def end(manifest: Manifest) -> dict[tuple[str, str], str]:
    return {(c.target_name, c.arch): c.target for c in manifest.changes if c.target and c.action != "remove"}


def deviating(upgraded: Upgrade, planned: State) -> set[tuple[str, str]]:
    return {key for key in upgraded.before.keys() | planned.keys() if upgraded.before.get(key) != planned.get(key)}


def given_up(upgraded: Upgrade, planned: State) -> set[str]:
    """What somebody asked for and is not there, in whatever version."""
    return set(upgraded.asked) & {name for name, _ in upgraded.before} - {name for name, _ in planned}


@pytest.mark.parametrize("percent", [0, 1, 5, 20, 50])
def test_apt_takes_the_plan_as_it_is(upgraded: Upgrade, percent: int) -> None:
    manifest = back(upgraded, lost(upgraded, percent))
    planned = end(manifest)
    assert not manifest.problems
    told = {name for one in manifest.deviations for name in one.packages}
    assert {name for name, _ in deviating(upgraded, planned)} == told
    assert upgraded.host.takes(upgraded.suites, wants(manifest, upgraded.now), upgraded.after) == planned


# ---------------------------------------------------------------------- how near


@pytest.mark.parametrize("percent", [1, 5, 20, 50, 100])
def test_no_more_packages_deviate_than_by_weights(upgraded: Upgrade, percent: int, record_property) -> None:  # type: ignore[no-untyped-def]
    """Beside the weights that were measured first: there may be more only where these give up what somebody asked for."""
    ours, theirs = [], []
    for seed in SEEDS:
        versions = lost(upgraded, percent, seed)
        manifest = back(upgraded, versions)
        planned = end(manifest)
        weighed = by_weights(scene(upgraded.then, upgraded.now, upgraded.offered(versions)))
        assert not given_up(upgraded, planned)
        if not given_up(upgraded, weighed):
            assert len(deviating(upgraded, planned)) <= len(deviating(upgraded, weighed))
        ours.append(len(deviating(upgraded, planned)))
        theirs.append(len(deviating(upgraded, weighed)))
    figures = f"{upgraded.suites} {percent} %: {median(ours)} deviate {ours}, by weights {median(theirs)} {theirs}"
    record_property("figures", figures)
    print(figures)


def by_weights(question: Scene) -> State:
    """The optimum by weights: 1000 for a package as it was, 20000 (3000 if auto) for any version of it, 200 for one that goes."""
    formula = WCNF()
    for clause in question.encoding.clauses:
        formula.append(list(clause.literals))
    for aim in question.aims:
        there = question.encoding.find(aim.key, aim.wanted) if aim.wanted else 0
        if aim.wanted:
            formula.append([there], weight=1000)
            formula.append(list(question.encoding.standing(aim.key)), weight=20000 if aim.asked else 3000)
        else:
            for variable in question.encoding.variables[aim.key]:
                formula.append([-variable], weight=200)
    with RC2Stratified(formula, solver="g3") as engine:
        model = set(engine.compute() or ())
    chosen = [one for variable, one in enumerate(question.encoding.packages, 1) if variable in model]
    return {(one.name, one.arch): one.version for one in chosen}


# What is lost, and how many packages may deviate, by two upgrades.
@pytest.mark.parametrize(
    ("upgraded", "name", "most"),
    [
        ("security", "libperl5.36", 4),
        ("trixie", "htop", 8),
        ("trixie", "python3-keystone", 3),
        ("trixie", "mariadb-server-core", 21),
        ("trixie", "libssl3", 16),
        ("trixie", "libc6", 7),
    ],
    indirect=["upgraded"],
)
def test_one_lost_version_moves_no_more_than_it_must(upgraded: Upgrade, name: str, most: int) -> None:
    manifest = back(upgraded, {key for key in upgraded.changed if key[0] == name})
    planned = end(manifest)
    why = {(change.name, change.arch): change.why for change in manifest.changes}
    assert 1 <= len(deviating(upgraded, planned)) <= most
    assert all(why[key] for key in deviating(upgraded, planned))
    assert upgraded.host.takes(upgraded.suites, wants(manifest, upgraded.now), upgraded.after) == planned
