"""A real host's packages, upgraded by apt in simulation: the way back is exact, or near, and apt takes every plan unchanged."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import pytest
from pysat.examples.rc2 import RC2Stratified
from pysat.formula import WCNF

from benchmarks.real_host import RealHost, State, Upgrade, Version, upgrade
from rollback.manifest.model import Manifest
from rollback.manifest.transaction import wants
from rollback.solver.nearest import Nearest
from rollback.solver.problem import Scene, scene_of

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
    """Beside the weights that were measured first: there may be more only where these give up what somebody asked for. Beside
    the fewest of any consistent set, whatever it gives up: nothing can be nearer than that.
    """
    ours, theirs, fewest = [], [], []
    for seed in SEEDS:
        versions = lost(upgraded, percent, seed)
        manifest = back(upgraded, versions)
        planned = end(manifest)
        question = scene_of(upgraded.then, upgraded.now, upgraded.offered(versions))
        weighed = optimum(question, MEASURED_FIRST)
        assert not given_up(upgraded, planned)
        if not given_up(upgraded, weighed):
            assert len(deviating(upgraded, planned)) <= len(deviating(upgraded, weighed))
        ours.append(len(deviating(upgraded, planned)))
        theirs.append(len(deviating(upgraded, weighed)))
        fewest.append(len(deviating(upgraded, optimum(question, FEWEST))))
        assert fewest[-1] <= ours[-1]
    figures = f"{upgraded.suites} {percent} %: {median(ours)} deviate {ours}, by weights {median(theirs)} {theirs}"
    figures += f", fewest {median(fewest)} {fewest}"
    record_property("figures", figures)
    print(figures)


@dataclass(frozen=True)
class Weights:
    """What it is worth that a package is as it was, that any version of it is there (asked for, or not), and that a new one goes."""

    exact: int
    asked: int
    auto: int
    gone: int


MEASURED_FIRST = Weights(exact=1000, asked=20000, auto=3000, gone=200)
FEWEST = Weights(exact=1, asked=0, auto=0, gone=1)


def optimum(question: Scene, weights: Weights) -> State:
    """The consistent state of the greatest weight."""
    formula = WCNF()
    for clause in question.encoding.clauses:
        formula.append(list(clause.literals))
    for literals, weight in _worth(question, weights):
        if literals and weight:
            formula.append(literals, weight=weight)
    with RC2Stratified(formula, solver="g3") as engine:
        model = set(engine.compute() or ())
    chosen = [one for variable, one in enumerate(question.encoding.packages, 1) if variable in model]
    return {(one.name, one.arch): one.version for one in chosen}


def _worth(question: Scene, weights: Weights) -> Iterator[tuple[list[int], int]]:
    for aim in question.aims:
        if aim.wanted:
            exact = question.encoding.find(aim.key, aim.wanted)
            yield [exact] if exact else [], weights.exact
            yield list(question.encoding.standing(aim.key)), weights.asked if aim.asked else weights.auto
        else:
            yield from (([-variable], weights.gone) for variable in question.encoding.variables[aim.key])


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
