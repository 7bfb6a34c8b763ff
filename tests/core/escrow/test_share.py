"""Where package files are kept: at the controller, on hosts, or both; whatever was met on the way, and sent no more than once."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import DiskFull, Unreachable
from nornir_upgrade.core.escrow import collect as module
from nornir_upgrade.core.escrow import fleet_copies
from nornir_upgrade.core.escrow.collect import Collected
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.escrow.host_copies import DIRECTORY
from nornir_upgrade.core.escrow.share import Place, share
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store, digest_of
from tests.fake.depot import StubDepot, StubFleet, content
from tests.fake.keeper import Keeper

FILES = tuple(PackageFile("deb", f"package{number}", "all", "1.0-1") for number in range(4))
A, B, C, D = FILES
DIGESTS = {file: digest_of(content(file)) for file in FILES}


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "source_of", lambda manager: StubDepot())


@pytest.fixture
def escrow(tmp_path: Path) -> Escrow:
    return Escrow.beside(Store(tmp_path / "store"))


Needs = Mapping[str, set[PackageFile]]


def kept(escrow: Escrow, *hosts: Keeper, needs: Needs, place: Place = "host") -> Collected:
    fleet = StubFleet({host.name: host for host in hosts})
    return share(fleet, dict.fromkeys(fleet.hosts, "apt"), needs, Escrow.beside(escrow.store), place)  # type: ignore[arg-type]


def mended(escrow: Escrow, *hosts: Keeper, needs: Needs) -> None:
    fleet = StubFleet({host.name: host for host in hosts})
    fleet_copies.mend(fleet, tuple(fleet.hosts), Escrow.beside(escrow.store), needs)


def digests(*files: PackageFile) -> set[str]:
    return {DIGESTS[file] for file in files}


def places(escrow: Escrow) -> dict[PackageFile, tuple[str, ...]]:
    """What another process finds: which hosts hold which file."""
    found = Escrow.beside(escrow.store)
    return {one.file: found.holders.of(one.digest) for one in found.list()}


def remains(escrow: Escrow) -> list[Path]:
    return [
        path for name in ("store", "passing") for path in (escrow.store.root.parent / name).rglob("*") if path.is_file()
    ]


# ---------------------------------------------------------------------- on hosts alone


def test_what_lies_in_a_cache_becomes_a_copy_and_nothing_is_moved(escrow: Escrow) -> None:
    one, two = Keeper("one", cache={A, B}, repositories={A}), Keeper("two", cache={A})
    found = kept(escrow, one, two, needs={"one": {A, B}, "two": {A}})
    assert {(k.file, k.source) for k in found.kept} == {(A, "cache"), (B, "cache")} and not found.missing
    assert (one.copies(), two.copies()) == (digests(A, B), digests(A))
    assert one.moved == two.moved == one.sent == two.sent == []
    assert places(escrow) == {A: ("one", "two"), B: ("one",)} and remains(escrow) == []


def test_what_a_host_does_not_have_passes_through_and_is_sent_once(escrow: Escrow) -> None:
    one, two = Keeper("one", repositories={A}, installed={C}), Keeper("two", cache={B})
    found = kept(escrow, one, two, needs={"one": {A, B, C}, "two": {A}})
    assert not found.missing and {k.file for k in found.kept} == {A, B, C}
    assert one.copies() == digests(A, B, C) and two.copies() == digests(A)
    assert sorted(one.sent) == sorted(digests(A, B, C)) and two.sent == [DIGESTS[A]]
    assert remains(escrow) == [] and not list(Escrow.beside(escrow.store).damage())
    again = kept(escrow, one, two, needs={"one": {A, B, C}, "two": {A}})
    assert again == Collected((), {}, {}) and len(one.sent) == 3 and len(two.sent) == 1


def test_without_room_it_ends_and_that_host_has_no_more_than_before(escrow: Escrow) -> None:
    full, other = Keeper("full", cache={A}, repositories={B}, room=150), Keeper("other", cache={A})
    found = kept(escrow, full, other, needs={"full": {A, B}, "other": {A}})
    with pytest.raises(DiskFull, match="full: No space left"):
        found.require()
    assert full.copies() == set() and other.copies() == digests(A)
    assert remains(escrow) == [] and not list(Escrow.beside(escrow.store).damage())
    full.room = 1 << 30
    assert not kept(escrow, full, other, needs={"full": {A, B}, "other": {A}}).missing
    assert full.copies() == digests(A, B) and places(escrow)[A] == ("full", "other")


def test_a_disk_that_fills_on_the_way_is_left_as_it_was(escrow: Escrow) -> None:
    """Others took the room while copies were being sent."""
    host = Keeper("one", repositories={A, B}, stolen=150)
    found = kept(escrow, host, needs={"one": {A, B}})
    with pytest.raises(DiskFull, match=r"one: .*No space left"):
        found.require()
    assert host.copies() == set() and places(escrow) == {}
    host.stolen = 0
    assert not kept(escrow, host, needs={"one": {A, B}}).missing and host.copies() == digests(A, B)


def test_what_is_damaged_here_does_not_go_to_a_host(escrow: Escrow) -> None:
    one, two = Keeper("one", repositories={A}), Keeper("two")
    kept(escrow, one, needs={"one": {A}}, place="controller")
    (escrow.store.root / DIGESTS[A][:2] / DIGESTS[A]).write_bytes(b"damaged")
    found = kept(escrow, one, two, needs={"two": {A}})
    assert not found.missing and two.copies() == digests(A)


def test_what_the_controller_does_not_remember_is_found_where_it_stands(escrow: Escrow) -> None:
    host = Keeper("one", cache={A})
    kept(escrow, host, needs={"one": {A}})
    Escrow.beside(escrow.store).holders.remove("one", digests(A))
    assert kept(escrow, host, needs={"one": {A}}) == Collected((), {}, {}) and places(escrow) == {A: ("one",)}


def test_what_stands_in_for_a_lost_file_counts_before_it(escrow: Escrow) -> None:
    """Rebuilt, its digest is its own; the archive's own file, which would count before it, is no more."""
    host = Keeper("one", cache={A})
    kept(escrow, host, needs={"one": {A}}, place="controller")
    escrow.store.remove(DIGESTS[A])
    host.cache, host.installed, host.size = set(), {A}, 200
    (rebuilt,) = kept(escrow, host, needs={"one": {A}}, place="controller").kept
    assert rebuilt.rebuilt and rebuilt.digest != DIGESTS[A]
    assert Escrow.beside(escrow.store).find(A) == rebuilt and not list(Escrow.beside(escrow.store).damage())


def test_a_damaged_copy_comes_from_another_host_and_else_from_where_it_is_to_be_had(escrow: Escrow) -> None:
    one, two = Keeper("one", repositories={A, B}), Keeper("two")
    needs = {"one": {A, B}, "two": {A}}
    kept(escrow, one, two, needs=needs)
    one.damage(DIGESTS[A]), one.damage(DIGESTS[B])
    one.repositories = {B}
    found = kept(escrow, one, two, needs=needs)
    assert not found.missing and one.copies() == digests(A, B) and one.stands[f"{DIRECTORY}/{DIGESTS[A]}"] == content(A)
    assert len(two.sent) == 1 and remains(escrow) == []
    one.damage(DIGESTS[B])
    one.repositories = set()
    assert set(kept(escrow, one, two, needs=needs).missing) == {B}


def test_who_was_cut_off_finds_what_came_and_goes_on(escrow: Escrow, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [Keeper(name, repositories={A, B}) for name in ("one", "two")]
    needs = {"one": {A, B}, "two": {A, B}}

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("nornir_upgrade.core.escrow.holders.Holders.add", die)
    monkeypatch.setattr("nornir_upgrade.core.store.Store.remove", lambda *_: None)
    with pytest.raises(Killed):
        kept(escrow, *hosts, needs=needs)
    monkeypatch.undo()
    monkeypatch.setattr(module, "source_of", lambda manager: StubDepot())
    assert places(escrow) == {} and not list(Escrow.beside(escrow.store).damage())
    moved, sent = [host.moved[:] for host in hosts], [host.sent[:] for host in hosts]
    assert not kept(escrow, *hosts, needs=needs).missing
    assert [host.moved for host in hosts] == moved  # what had passed through was still there
    assert all(len(host.sent) == 2 for host in hosts) and sum(map(len, sent)) >= 2
    assert places(escrow) == {A: ("one", "two"), B: ("one", "two")} and remains(escrow) == []


def test_a_host_that_is_lost_is_trusted_in_what_it_holds_and_fails_in_all_else(escrow: Escrow) -> None:
    one = Keeper("one", repositories={A, B})
    kept(escrow, one, needs={"one": {A}})
    one.lost = Unreachable("one: no answer")
    assert kept(escrow, one, needs={"one": {A}}) == Collected((), {}, {})
    found = kept(escrow, one, needs={"one": {A, B}})
    assert set(found.missing) == {A, B} and isinstance(found.failures["one"], Unreachable)


# ---------------------------------------------------------------------- both


def test_both_have_it_and_a_host_without_room_goes_without(escrow: Escrow) -> None:
    roomy, full = Keeper("roomy", cache={A}, repositories={B}), Keeper("full", repositories={A}, room=50)
    found = kept(escrow, roomy, full, needs={"roomy": {A, B}, "full": {A}}, place="both")
    assert not found.missing and not found.failures and "No space left" in found.without["full"]
    assert roomy.copies() == digests(A, B) and full.copies() == set()
    assert roomy.sent == [DIGESTS[B]]  # the other was made of its cache
    assert set(escrow.store.digests()) == digests(A, B) and places(escrow)[A] == ("roomy",)


def test_what_the_controller_lost_comes_back_from_a_host_that_has_it(escrow: Escrow) -> None:
    host = Keeper("one", repositories={A})
    kept(escrow, host, needs={"one": {A}}, place="both")
    host.repositories = set()
    escrow.store.remove(DIGESTS[A])
    assert not kept(escrow, host, needs={"one": {A}}, place="controller").missing
    assert escrow.store.get(DIGESTS[A]) == content(A)


# ---------------------------------------------------------------------- before the way back


def test_mending_takes_from_another_host_what_nobody_else_has(escrow: Escrow) -> None:
    one, two, three = (Keeper(name, repositories={A, B}) for name in ("one", "two", "three"))
    needs = {"one": {A, B}, "two": {A}, "three": {A}}
    kept(escrow, one, two, three, needs=needs)
    one.damage(DIGESTS[A]), one.damage(DIGESTS[B]), two.damage(DIGESTS[A])
    mended(escrow, one, two, three, needs=needs)
    fleet = StubFleet({host.name: host for host in (one, two, three)})
    whole = fleet_copies.whole(fleet, ("one", "two", "three"), escrow, digests(A, B))
    assert whole == {name: {DIGESTS[A]} for name in ("one", "two", "three")} and remains(escrow) == []
    assert fleet_copies.heads(fleet, ("one", "two"), escrow, digests(A, B)) == {DIGESTS[A]: content(A)}
    assert len(three.moved) + len(one.moved) + len(two.moved) == 3  # two were collected, one helped out


def test_nobody_is_asked_where_no_host_holds_anything(escrow: Escrow) -> None:
    host = Keeper("one", repositories={A})
    kept(escrow, host, needs={"one": {A}}, place="controller")
    fleet = StubFleet({"one": host})
    fleet_copies.mend(fleet, ("one",), Escrow.beside(escrow.store), {"one": [A]})
    assert fleet_copies.whole(fleet, ("one",), Escrow.beside(escrow.store), digests(A)) == {} and fleet.asked == []


sets = st.sets(st.sampled_from(FILES))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(sets, sets, sets, sets), min_size=1, max_size=3), st.sampled_from(("host", "both")))
def test_each_host_holds_what_it_needs_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[set[PackageFile], ...]], place: Place
) -> None:
    escrow = Escrow.beside(Store(tmp_path_factory.mktemp("law") / "store"))
    hosts = [Keeper(f"host{n}", *some) for n, (*some, _) in enumerate(drawn)]
    needs = {host.name: one[3] for host, one in zip(hosts, drawn, strict=True)}
    found = kept(escrow, *hosts, needs=needs, place=place)
    for host in hosts:
        assert host.copies() == digests(*(needs[host.name] - found.missing.keys()))
        assert len(host.sent) == len(set(host.sent))
    offered = set().union(*(host.cache | host.repositories for host in hosts))
    built = {file for host in hosts for file in host.installed & needs[host.name]}
    assert set(found.missing) == set().union(*needs.values()) - offered - built
    assert (remains(escrow) == []) == (place == "host" or not found.kept)
    assert not list(Escrow.beside(escrow.store).damage())
    for host in hosts:
        host.cache, host.repositories, host.installed = set(), set(), set()
    assert kept(escrow, *hosts, needs=needs, place=place).kept == ()
