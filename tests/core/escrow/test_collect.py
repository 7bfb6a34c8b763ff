"""Collecting package files: each once, in the order of what is the best source, and gone on with after any end."""

import errno
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import DiskFull, Unobtainable, Unreachable
from nornir_upgrade.core.escrow import collect as module
from nornir_upgrade.core.escrow.collect import Collected, CollectProgress, collect, errands_of
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.packaging.file_source import FileOffer, Held
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store
from tests.fake.depot import StubDepot, StubFleet, StubHost, content

FILES = tuple(PackageFile("deb", f"package{number}", "all", "1.0-1") for number in range(6))
A, B, C, *_ = FILES


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "source_of", lambda manager: StubDepot())


@pytest.fixture
def escrow(tmp_path: Path) -> Escrow:
    return Escrow.beside(Store(tmp_path / "store"))


def gather(
    escrow: Escrow, *hosts: StubHost, needs: Mapping[str, set[PackageFile]], told: list[CollectProgress] | None = None
) -> Collected:
    managers = {host.name: "apt" for host in hosts}
    fleet = StubFleet({host.name: host for host in hosts})
    tell = told.append if told is not None else module.silent
    return collect(fleet, managers, needs, escrow, tell)  # type: ignore[arg-type]


def sources(found: Collected) -> dict[PackageFile, tuple[str, str]]:
    return {kept.file: (kept.host, kept.source) for kept in found.kept}


def test_cache_before_repository_before_another_host_before_rebuilt(escrow: Escrow) -> None:
    one = StubHost("one", cache={A}, repositories={A, B}, installed={A, B, C, FILES[3]})
    two = StubHost("two", cache={C}, repositories={B, C})
    found = gather(escrow, one, two, needs={"one": {A, B, C, FILES[3]}})
    assert sources(found) == {
        A: ("one", "cache"),
        B: ("one", "repository"),
        C: ("two", "cache"),
        FILES[3]: ("one", "rebuilt"),
    }
    assert not found.missing and [kept.file for kept in escrow.list()] == [A, B, C, FILES[3]]
    assert escrow.store.get(escrow.require(A).digest) == content(A)
    assert not any("gathered" in path for host in (one, two) for path in host.stands)


def test_what_is_in_escrow_is_asked_of_nobody(escrow: Escrow) -> None:
    host = StubHost("one", repositories={A})
    assert len(gather(escrow, host, needs={"one": {A}}).kept) == 1
    fleet = StubFleet({"one": host})
    assert collect(fleet, {"one": "apt"}, {"one": {A}}, escrow) == Collected((), {}, {}) and fleet.asked == []


def test_what_is_damaged_in_escrow_is_fetched_anew(escrow: Escrow) -> None:
    host = StubHost("one", repositories={A, B})
    gather(escrow, host, needs={"one": {A, B}})
    (path,) = escrow.store.root.rglob(escrow.require(A).digest)
    path.write_bytes(b"damaged")
    assert set(sources(gather(escrow, host, needs={"one": {A, B}}))) == {A}
    assert escrow.store.get(escrow.require(A).digest) == content(A) and not list(escrow.damage())


def test_what_comes_other_than_the_index_says_is_not_kept_and_another_host_is_asked(escrow: Escrow) -> None:
    liar, honest = StubHost("a", repositories={A}, lies={A}), StubHost("b", repositories={A})
    assert sources(gather(escrow, liar, honest, needs={"a": {A}, "b": {A}})) == {A: ("b", "repository")}
    lost = gather(escrow, StubHost("a", repositories={B}, lies={B}), needs={"a": {B}})
    assert lost.kept == () and lost.missing == {B: "a: nothing came"}  # the last that was tried is to rebuild it
    assert escrow.find(B) is None


def test_what_the_index_has_and_the_archive_not_comes_from_elsewhere_or_is_named(escrow: Escrow) -> None:
    hosts = [StubHost("a", repositories={A, B}, vanished={A, B}), StubHost("b", repositories={A})]
    found = gather(escrow, *hosts, needs={"a": {A, B}, "b": {A}})
    assert sources(found) == {A: ("b", "repository")} and found.missing == {B: f"a: 404 {B}"}


def test_what_cannot_be_had_is_named_with_the_reason_and_all_the_rest_is_kept(escrow: Escrow) -> None:
    found = gather(escrow, StubHost("one", repositories={A}), needs={"one": {A, B}})
    assert set(sources(found)) == {A} and set(found.missing) == {B}
    with pytest.raises(Unobtainable, match=r"package1:all 1\.0-1: one: nothing came") as refused:
        found.require()
    assert refused.value.exit_code == 21


def test_a_host_that_is_lost_leaves_its_errands_to_the_others(escrow: Escrow) -> None:
    away = StubHost("a", repositories={A, B}, lost=Unreachable("a: no answer"))
    found = gather(escrow, away, StubHost("b", repositories={A}), needs={"a": {A, B}, "b": {A}})
    assert sources(found) == {A: ("b", "repository")}
    assert found.missing == {B: "a: no answer"} and set(found.failures) == {"a"}


def test_a_full_disk_of_a_host_ends_it_and_it_goes_on_from_there(escrow: Escrow) -> None:
    hosts = [
        StubHost("a", cache={A}, repositories={B}, full=True),
        StubHost("b", repositories={C}, installed={FILES[3]}),
    ]
    needs = {"a": {A, B}, "b": {C, FILES[3]}}
    found = gather(escrow, *hosts, needs=needs)
    assert set(sources(found)) == {A, C}  # the round in which it was met comes to its end, and no other begins
    with pytest.raises(DiskFull, match="a: No space left"):
        found.require()
    hosts[0].full = False
    assert set(sources(gather(escrow, *hosts, needs=needs))) == {B, FILES[3]}


def test_a_full_disk_here_ends_it_and_it_goes_on_from_there(escrow: Escrow, monkeypatch: pytest.MonkeyPatch) -> None:
    host = StubHost("a", repositories={A, B, C})

    class Full(StubHost):
        def download(self, path: str, sink: BinaryIO) -> None:
            if len(self.moved) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            StubHost.download(self, path, sink)

    full = Full("a", repositories={A, B, C})
    found = gather(escrow, full, needs={"a": {A, B, C}})
    with pytest.raises(DiskFull, match="store"):
        found.require()
    kept = {one.file for one in escrow.list()}
    assert len(kept) == 2 and not list(escrow.damage()) and len(list(escrow.store.digests())) == 2
    assert set(sources(gather(escrow, host, needs={"a": {A, B, C}}))) == {A, B, C} - kept


def test_progress_counts_files_and_bytes_up_to_all(escrow: Escrow) -> None:
    told: list[CollectProgress] = []
    hosts = [StubHost(name, cache={A, B}, repositories={A, B, C}) for name in "ab"]
    gather(escrow, *hosts, needs={"a": {A, B}, "b": {B, C}}, told=told)
    assert [one.files for one in told] == [1, 2, 3] and {one.of_files for one in told} == {3}
    assert [one.bytes for one in told] == sorted(one.bytes for one in told)
    assert told[-1].left == 0 and told[-1].bytes == told[-1].of_bytes == 3 * len(content(A))


sets = st.sets(st.sampled_from(FILES))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(sets, sets, sets, sets), min_size=1, max_size=4))
def test_whatever_can_be_had_comes_once_and_from_the_best_source(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[set[PackageFile], ...]]
) -> None:
    escrow = Escrow.beside(Store(tmp_path_factory.mktemp("law") / "store"))
    hosts = [
        StubHost(f"host{n}", cache, repositories, installed)
        for n, (cache, repositories, installed, _) in enumerate(drawn)
    ]
    needs = {host.name: one[3] for host, one in zip(hosts, drawn, strict=True)}
    found = gather(escrow, *hosts, needs=needs)
    wanted = set().union(*needs.values())
    offered = set().union(*(host.cache | host.repositories for host in hosts))
    built = {file for host in hosts for file in host.installed & needs[host.name]}
    assert {kept.file for kept in found.kept} == wanted & (offered | built)
    assert set(found.missing) == wanted - offered - built
    moved = [name for host in hosts for name in host.moved]
    assert sorted(moved) == sorted(kept.file.file_name for kept in found.kept)
    assert {kept.file for kept in found.kept if kept.rebuilt} == wanted & (built - offered)


@given(st.integers(1, 8), st.integers(1, 60))
def test_hosts_that_have_the_same_have_alike_to_do(hosts: int, files: int) -> None:
    due = [PackageFile("deb", f"package{number}", "all", "1") for number in range(files)]
    offers = {f"host{n}": {file: FileOffer(None, True, (), 100) for file in due} for n in range(hosts)}
    errands = errands_of(offers, due)
    counts = [len(errands.get(host, ())) for host in offers]
    assert max(counts) - min(counts) <= 1 and sorted(chain(*errands.values())) == sorted(due)


def test_a_cache_is_asked_whatever_else_its_host_has_to_do() -> None:
    cached = FileOffer(Held("/cache/x", "0" * 64, 10, "index"), True, (), 10)
    offers = {
        "busy": {A: cached, B: cached},
        "idle": {A: FileOffer(None, True, (), 10), B: FileOffer(None, True, (), 10)},
    }
    assert errands_of(offers, [A, B]) == {"busy": [A, B]}
