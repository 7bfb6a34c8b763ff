"""What can be had: the parser, and the script itself with this machine's own apt over a repository made for the test."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import lz4.frame
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import CommandFailed, DigestMismatch, InvalidInput
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.host import Host, Result, checked
from rollback.catalog import host_query
from rollback.catalog.catalogs import stock
from rollback.catalog.host_query import Wanted, fetch
from rollback.catalog.indexes import Reader, Shelf
from rollback.catalog.reply import Index, Reply, parse
from rollback.packaging.candidate import Candidate, Catalog, catalog

PACKAGES = (
    "Package: nova-common\nArchitecture: all\nVersion: 1:2013.2-0ubuntu1~cloud0\nSize: 1024\nSHA256: abc\n"
    "Depends: python-nova (= 1),\n\tlibc6 |\n  libc6.1\nDescription: Package: less\nMulti-Arch: foreign\n\n"
    "Architecture: all\nPackage: late\nVersion: 1\n\nPackage: unasked\nArchitecture: all\nVersion: 1\n"
)
DIGEST = digest_of(PACKAGES.encode())
ABOUT = "http://archive/deb old/main amd64 Packages\thttp://archive/deb/\told\tmain\tLab\t$(LABEL)\tstable\told"
INDEX = f"{ABOUT}\t{DIGEST}"
HERE = (
    "Package: nova-common\nArchitecture: all\nVersion: 2\nStatus: installed\nDepends: libc6\nBreaks: \n\n"
    "Package: gone\nArchitecture: all\nVersion: 1\nStatus: config-files\n\n"
    "Package: cut\nArchitecture: all\nVersion: \nStatus: half-installed\n\n"
)


def answer(*indexes: str, present: str = HERE) -> Reply:
    """What is understood of indexes (each with its first line) and of what is on the host."""
    parts = [f"{index}\n=== index {number} 0\n" for number, index in enumerate(indexes)]
    return parse("".join((*parts, present, "\n=== present 0\n\n=== end 0\n")), "===", "apt")


def test_an_index_is_its_digest_and_what_its_repository_goes_by() -> None:
    found = answer(f"{INDEX}\n")
    origin = "http://archive/deb old/main amd64 Packages"
    assert found.indexes == (Index(DIGEST, origin, ("deb", "old", "main", "Lab", "stable", "old")),)
    assert not found.files
    packed = b64encode(PACKAGES.encode()).decode()
    assert answer(f"{INDEX}\n{packed}").files == {DIGEST: PACKAGES.encode()}


def test_what_is_on_the_host_is_known_by_its_version() -> None:
    assert answer().present == {("nova-common", "all", "2"): (("Depends", "libc6"),), ("cut", "all", ""): ()}


@pytest.mark.parametrize(
    "stanza",
    [
        "Package: a\nArchitecture: all\nStatus: installed\n\n",
        "Package: a\nArchitecture: all\nVersion: 1\n\n",
        "Package: a\nArchitecture: all\nVersion: 1\nVersion: 2\nStatus: installed\n\n",
        "Package: a\nArchitecture: all\nVersion: 1\nStatus: installed\nDescription: unasked\n\n",
        "Package: a\nArchitecture: all\nVersion: 1\nStatus: installed\nno field\n\n",
        " goes on\nPackage: a\nArchitecture: all\nVersion: 1\nStatus: installed\n\n",
        "Package: a\nArchitecture: all\nVersion: 1\nStatus: installed",
    ],
)
def test_what_is_no_package_is_refused_with_its_line(stanza: str) -> None:
    with pytest.raises(InvalidInput, match="line 18: present"):
        answer(present=HERE + stanza)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("one\ttwo", "no index"),
        (INDEX.replace(DIGEST, "abc"), "no index"),
        (INDEX.replace(DIGEST, "../" * 21 + "a"), "no index"),
        (f"{INDEX}\nYQ", "cut off"),
        (f"{INDEX}\nYQ==", "not the one"),
    ],
)
def test_what_is_no_index_is_refused(index: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"line [12]: index 0: .*{reason}"):
        answer(index if "\nY" in index else f"{index}\n")


def test_an_answer_that_is_not_whole_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not say what is present"):
        parse("\n=== end 0\n", "===", "apt")
    with pytest.raises(InvalidInput, match="cut off"):
        parse(f"{INDEX}\n\n=== index 0 0\n", "===", "apt")


@example(noise=b"\x80", at=161)
@given(st.binary(max_size=300), st.integers(0, 600))
def test_noise_is_read_or_refused_and_nothing_else(noise: bytes, at: int) -> None:
    whole = f"{INDEX}\n\n=== index 0 0\n{HERE}\n=== present 0\n\n=== end 0\n"
    with suppress(InvalidInput):
        parse(whole[:at] + noise.decode("utf-8", "surrogateescape") + whole[at:], "===", "apt")


# ---------------------------------------------------------------------- the shelf


def read(directory: Path, data: bytes, *names: str) -> dict[str, tuple[Candidate, ...]]:
    """What an index offers of the packages `names`."""
    shelf = Shelf(directory)
    shelf.put({digest_of(data): data})
    return dict(Reader(shelf, names).offered(Index(digest_of(data), "origin", ("old",))))


def test_a_stanza_is_a_candidate_with_what_it_demands(tmp_path: Path) -> None:
    found = read(tmp_path, PACKAGES.encode(), "nova-common", "late", "less")
    demands = (("Multi-Arch", "foreign"), ("Depends", "python-nova (= 1), libc6 | libc6.1"))
    version = "1:2013.2-0ubuntu1~cloud0"
    assert found == {
        "nova-common": (Candidate("nova-common", "all", version, "origin", "abc", 1024, demands, (("old",),)),),
        "late": (Candidate("late", "all", "1", "origin", labels=(("old",),)),),
    }


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, lz4.frame.compress])
def test_an_index_may_be_packed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    assert read(tmp_path, pack(PACKAGES.encode()), "late")["late"][0].version == "1"


@pytest.mark.parametrize(
    "text",
    [
        "Package: a\nArchitecture: all\n",
        "Package: a\nArchitecture: all\nVersion: $(x)\n",
        "Package: a\nArchitecture: all\nVersion: 1\nSize: big\n",
        "Package: a\nArchitecture: all\nVersion: 1",
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput):
        read(tmp_path, text.encode(), "a")


def test_what_is_damaged_is_taken_away_and_what_is_old_too(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "indexes")
    assert shelf.digests == frozenset()
    shelf.put({digest_of(b"one"): b"one", digest_of(b"two"): b"two"})
    (tmp_path / "indexes" / digest_of(b"one")).write_bytes(b"other")
    with pytest.raises(InvalidInput, match="damaged"):
        shelf.get(digest_of(b"one"))
    assert shelf.digests == {digest_of(b"two")} and shelf.get(digest_of(b"two")) == b"two"
    os.utime(tmp_path / "indexes" / digest_of(b"two"), (0, 0))
    shelf.put({})
    assert shelf.digests == frozenset()


def test_the_first_index_that_offers_a_version_counts_and_all_that_do_are_named() -> None:
    one, other = (Candidate("nova", "all", "1", origin, labels=((origin,),)) for origin in ("first", "second"))
    found = catalog((one, other)).find("nova", "all", "1")
    assert found and (found.origin, found.labels) == ("first", (("first",), ("second",)))
    assert catalog((one,)).find("nova", "all", "1.0") is None
    assert catalog((one,)).find("nova", "amd64", "1") is None


# ---------------------------------------------------------------------- with a real apt


class ThisMachine:
    """As much of a host as the catalogue asks for, with an apt configuration of its own."""

    name = "here"

    def __init__(self, configuration: Path) -> None:
        self.environment = {
            "APT_CONFIG": str(configuration),
            "DPKG_ADMINDIR": str(configuration.parent / "dpkg"),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "LC_ALL": "C",
        }

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout, env=self.environment, check=False
        )
        return checked(self.name, argv, Result(done.returncode, done.stdout, done.stderr))

    def stream(self, argv: Sequence[str], sink: BinaryIO, *, stdin: bytes = b"", timeout: float = 60.0) -> None:
        sink.write(self.run(argv, stdin=stdin, timeout=timeout).stdout)


class Machine:
    """An apt that knows nothing but `root`, and archives below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("etc/sources.list.d", "lists/partial", "cache/archives/partial", "dpkg"):
            (root / name).mkdir(parents=True)
        (root / "dpkg/status").touch()
        (root / "apt.conf").write_text(
            f'Dir::Etc "{root}/etc";\nDir::State::lists "{root}/lists";\nDir::State::status "{root}/dpkg/status";\n'
            f'Dir::Cache "{root}/cache";\nDir::Log "{root}";\nAPT::Sandbox::User "";\n'
            f'APT::Architecture "amd64";\nAcquire::Languages "none";\n'
            f'APT::Update::Post-Invoke {{"touch {root}/hook-ran";}};\n'
        )
        self.host: Host = ThisMachine(root / "apt.conf")  # type: ignore[assignment]

    def archive(self, name: str, *packages: tuple[str, str, str], method: str = "file") -> str:
        """A repository of packages (name, version, architecture); returns the line that names it.

        By the method `file` apt links to the indexes, by `copy` it has its own.
        """
        place = self.root / name
        place.mkdir()
        stanzas = (
            f"Package: {package}\nArchitecture: {arch}\nVersion: {version}\nMaintainer: nobody\n"
            f"Filename: ./{package}.deb\nSize: 42\nSHA256: {'a' * 64}\nDescription: Package: of nothing\n more\n"
            f"Depends: less,\n\tmore\nRecommends: nothing,\n of-ours\nEssential: yes\n"
            for package, version, arch in packages
        )
        (place / "Packages").write_text("\n".join(stanzas))
        return f"deb [trusted=yes] {method}:{place} ./\n"

    def source(self, name: str) -> str:
        return str(self.root / "etc/sources.list.d" / name)

    def update(self) -> None:
        """Afterwards apt has the indexes of the sources that are in place."""
        self.host.run(("apt-get", "-qq", "update"))
        (self.root / "hook-ran").unlink()

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(self.root.rglob("*")) if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if not shutil.which("apt-get"):
        pytest.fail("these tests need apt")
    return Machine(tmp_path)


class Fleet:
    """Hosts by name, asked one after the other."""

    def __init__(self, *hosts: Host) -> None:
        self.hosts = {host.name: host for host in hosts}

    def each(self, names: Sequence[str], act: Callable[[Host], Any]) -> dict[str, Any]:
        return {name: act(self.hosts[name]) for name in names}


def offered(host: Host, sources: Mapping[str, str | None], names: Iterable[str]) -> Catalog:
    """What one host could have."""
    with tempfile.TemporaryDirectory() as shelf:
        return stock(Fleet(host), {host.name: Wanted(sources, frozenset(names))}, Shelf(Path(shelf)))[host.name]  # type: ignore[arg-type]


def test_an_archive_that_is_off_is_looked_into_and_one_that_is_on_is_left_out(machine: Machine) -> None:
    old = machine.archive("old", ("nova", "1", "all"), ("quantum", "1", "amd64"), ("unasked", "1", "all"))
    new = machine.archive("new", ("nova", "2", "all"), ("neutron", "2", "all"))
    kept = machine.archive("kept", ("less", "5", "amd64"))
    Path(machine.source("new.list")).write_text(new)
    Path(machine.source("kept.list")).write_text(kept)
    machine.update()
    before = machine.files()
    found = offered(
        machine.host,
        {machine.source("old.list"): old, machine.source("new.list"): None},
        ("nova", "quantum", "neutron", "less"),
    )
    assert sorted((one.name, one.version, one.arch) for one in found.candidates.values()) == [
        ("less", "5", "amd64"),
        ("nova", "1", "all"),
        ("quantum", "1", "amd64"),
    ]
    nova = found.find("nova", "all", "1")
    assert nova is not None and str(machine.root / "old") in nova.origin
    assert (nova.size, nova.digest) == (42, "a" * 64)
    assert nova.control == (("Essential", "yes"), ("Depends", "less, more"))
    assert machine.files() == before


def test_what_dpkg_has_is_present_with_what_it_demands(machine: Machine) -> None:
    head = "Maintainer: nobody\nArchitecture: amd64\nDescription: nothing\n"
    (machine.root / "dpkg/status").write_text(
        f"Package: less\nStatus: install ok installed\nVersion: 5\nMulti-Arch: foreign\nDepends: libc6 (>= 2)\n{head}\n"
        f"Package: left\nStatus: deinstall ok config-files\nVersion: 1\n{head}\n"
        f"Package: half\nStatus: install ok unpacked\nVersion: 1\nProvides: whole (= 2)\nImportant: yes\n{head}\n"
    )
    found = offered(machine.host, {}, ("less",)).present
    assert found.keys() == {("half", "amd64", "1"), ("less", "amd64", "5")}
    assert {("Important", "yes"), ("Provides", "whole (= 2)")} <= set(found["half", "amd64", "1"])
    assert {("Multi-Arch", "foreign"), ("Depends", "libc6 (>= 2)")} <= set(found["less", "amd64", "5"])


def test_a_repository_goes_by_its_path_and_by_what_its_release_file_says(machine: Machine) -> None:
    line = machine.archive("cloud", ("nova", "1", "all"))
    (machine.root / "cloud/Release").write_text(
        f"Origin: Lab Cloud\nSuite: stable\nCodename: havana\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n"
        f" {sha256((machine.root / 'cloud/Packages').read_bytes()).hexdigest()} "
        f"{(machine.root / 'cloud/Packages').stat().st_size} Packages\n"
    )
    found = offered(machine.host, {machine.source("cloud.list"): line}, ("nova",)).find("nova", "all", "1")
    assert found is not None
    (labels,) = found.labels
    assert labels[-3:] == ("Lab Cloud", "stable", "havana") and "cloud" in labels and "" not in labels


def test_sources_as_they_are_need_no_fetching(machine: Machine) -> None:
    line = machine.archive("only", ("nova", "1", "all"), method="copy")
    Path(machine.source("only.list")).write_text(line)
    machine.update()
    shutil.rmtree(machine.root / "only")
    found = offered(machine.host, {machine.source("only.list"): line}, ("nova",))
    assert found.find("nova", "all", "1") is not None


def test_an_archive_that_is_gone_is_an_error_and_not_an_empty_catalogue(machine: Machine) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    shutil.rmtree(machine.root / "old")
    with pytest.raises(CommandFailed, match="here"):
        offered(machine.host, {machine.source("old.list"): line}, ("nova",))


def test_source_files_elsewhere_are_none_of_our_business(machine: Machine) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    assert not offered(machine.host, {"/etc/hostname": line}, ("nova",)).candidates


def test_names_are_data_for_the_shell_and_for_awk(machine: Machine, tmp_path: Path) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    hostile = (f"$(touch {tmp_path}/canary)", f"`touch {tmp_path}/canary`", "a' -v b=1 '", "no\\nva", "-e")
    found = offered(machine.host, {machine.source("old.list"): line}, ("nova", *hostile))
    assert [one.name for one in found.candidates.values()] == ["nova"]
    assert not (tmp_path / "canary").exists()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """No index is small enough to come along; each errand is noted: from whom, and how many indexes."""
    noted: list[tuple[str, int]] = []

    def noting(host: Host, wanted: Wanted, digests: set[str]) -> dict[str, bytes]:
        noted.append((host.name, len(digests)))
        return fetch(host, wanted, digests)

    monkeypatch.setattr(host_query, "_SMALL", 0)
    monkeypatch.setattr("rollback.catalog.catalogs.fetch", noting)
    return noted


def two(directory: Path) -> tuple[Machine, Machine]:
    """Machines called one and other."""
    found = []
    for name in ("one", "other"):
        (directory / name).mkdir()
        made = Machine(directory / name)
        made.host.name = name  # type: ignore[misc]
        found.append(made)
    return found[0], found[1]


def test_an_index_is_fetched_once_however_many_hosts_have_it(tmp_path: Path, fetched: list[tuple[str, int]]) -> None:
    one, other = two(tmp_path)
    shared = one.archive("shared", ("nova", "1", "all"), ("less", "5", "amd64"))
    own = one.archive("own", ("nova", "2", "all"))
    wanted = {
        "one": Wanted({one.source("a.list"): shared, one.source("b.list"): own}, frozenset({"nova"})),
        "other": Wanted({other.source("a.list"): shared}, frozenset({"less"})),
    }
    fleet, shelf = Fleet(one.host, other.host), Shelf(tmp_path / "indexes")
    found = stock(fleet, wanted, shelf)  # type: ignore[arg-type]
    assert fetched == [("one", 2)]
    assert sorted(found["one"].candidates) == [("nova", "all", "1"), ("nova", "all", "2")]
    assert list(found["other"].candidates) == [("less", "amd64", "5")]
    assert stock(fleet, wanted, shelf) == found  # type: ignore[arg-type]
    assert fetched == [("one", 2)]


def test_hosts_that_are_alike_share_what_they_could_have(tmp_path: Path, fetched: list[tuple[str, int]]) -> None:
    one, other = two(tmp_path)
    line = one.archive("shared", ("nova", "1", "all"))
    wanted = {m.host.name: Wanted({m.source("a.list"): line}, frozenset({"nova"})) for m in (one, other)}
    found = stock(Fleet(one.host, other.host), wanted, Shelf(tmp_path / "indexes"))  # type: ignore[arg-type]
    assert found["one"] is found["other"]


def test_an_index_that_changes_meanwhile_is_refused(machine: Machine) -> None:
    line = machine.archive("old", ("nova", "1", "all"))
    with pytest.raises(CommandFailed, match="not there any more"):
        fetch(machine.host, Wanted({machine.source("old.list"): line}, frozenset()), {"a" * 64})


@pytest.mark.parametrize("said", [b"", b"aa 5\n12", b"aa x\n12", b"aa 2\n12"])
def test_what_is_not_what_was_asked_for_is_refused(said: bytes) -> None:
    class Liar:
        name = "liar"

        def stream(self, _argv: Sequence[str], sink: BinaryIO, **_: object) -> None:
            sink.write(said)

    with pytest.raises((InvalidInput, DigestMismatch), match="liar"):
        fetch(Liar(), Wanted({}, frozenset()), {"a" * 64})  # type: ignore[arg-type]
