"""Any two states of an rpm host, any version lost: the snapshot is back or every deviation is told, and libsolv takes the end."""

from collections.abc import Sequence
from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.packaging.rpm.dependencies import Rpm
from rollback.manifest.model import Manifest
from rollback.packaging.protection import DnfConf
from rollback.solver.nearest import Nearest
from tests.rollback.rpm_referees import librpm, libsolv
from tests.rollback.rpmworlds import INSTALL_ONLY, some
from tests.rollback.solver.test_rpm_nearest import TO, host, offering
from tests.rollback.solver.test_rpm_referees import against

CONF = DnfConf(install_only=frozenset({INSTALL_ONLY}), protected=("a",))


def standing(found: Sequence[Rpm]) -> list[Rpm]:
    """As many of `found` as stand together, taken one after the other."""
    kept: list[Rpm] = []
    for one in [*found, *found]:
        if one not in kept and not against([*kept, one]):
            kept.append(one)
    return kept


def key(one: Rpm) -> PackageName:
    return PackageName(one.name, one.arch, one.version if one.name == INSTALL_ONLY else "")


def end(manifest: Manifest) -> set[tuple[str, str, str]]:
    """What the host has in the end."""
    return {
        (c.name, c.arch, c.target if c.action != "unobtainable" else c.installed) for c in manifest.changes if _stays(c)
    }


def _stays(change) -> bool:  # type: ignore[no-untyped-def]
    return bool(change.target or change.installed) and change.action != "remove"


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_way_back_is_exact_or_told(chance: Random) -> None:
    world = some(chance, 9)
    then, now = standing(world), standing(chance.sample(world, len(world)))
    had = [one for one in world if chance.random() < 0.4]
    manifest = Nearest()(host(then), host(now), offering(had, present=now, dnf=CONF), TO)
    assert [change.key for change in manifest.changes] == sorted({key(one) for one in (*then, *now)})
    assert not manifest.problems
    wanted = {(one.name, one.arch, one.version) for one in then}
    there = end(manifest)
    event("exact" if there == wanted else "nearest")
    assert (there == wanted) == (not manifest.deviations)
    lost = {change.key for change in manifest.changes if change.action == "unobtainable"}
    assert lost <= {key(one) for one in then if one not in had}
    by_name = {(one.name, one.arch, one.version): one for one in world}
    last = [by_name[one] for one in sorted(there)]
    assert all(one in had or one in now for one in last)
    assert not against(last) and not libsolv(last, (INSTALL_ONLY,))
    assert {"a"} & {one.name for one in now} <= {one.name for one in last}


def test_librpm_takes_the_end() -> None:
    chance = Random(7)
    ends = []
    for _ in range(60):
        world = some(chance, 9)
        then, now = standing(world), standing(chance.sample(world, len(world)))
        had = [one for one in world if chance.random() < 0.4]
        there = end(Nearest()(host(then), host(now), offering(had, present=now, dnf=CONF), TO))
        ends.append([one for one in world if (one.name, one.arch, one.version) in there])
    assert librpm(ends) == [[]] * len(ends)
