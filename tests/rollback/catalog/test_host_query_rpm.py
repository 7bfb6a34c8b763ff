"""What a host with dnf answers, read: indexes with their lists of files, what dnf is told, and the packages that rpm knows."""

import gzip
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.host import Host, Result
from rollback.catalog.catalogs import stock
from rollback.catalog.host_query import Wanted
from rollback.catalog.indexes import Shelf
from rollback.catalog.reply import Index, Reply, parse
from rollback.foreign.packages import Foreign
from rollback.manifest.model import Manifest
from rollback.packaging.candidate import Catalog
from rollback.solver.nearest import Nearest
from rollback.solver.pool import SolverQuestion, solve_all
from tests.builders import facts, package
from tests.rollback.rpmworlds import made
from tests.rollback.solver.test_rpm_nearest import host as rpm_host

CASES = Path(__file__).parents[2] / "cases" / "rpm"
ROWS = (CASES / "rows.txt").read_text()
PRIMARY = gzip.compress((CASES / "primary.xml").read_bytes(), mtime=0)
FILELISTS = gzip.compress((CASES / "filelists.xml").read_bytes(), mtime=0)
ELSEWHERE = gzip.compress(
    (CASES / "primary.xml").read_bytes().replace(b"/opt/tools/bin/tool", b"/opt/tools/tool"), mtime=0
)
FILES_THERE = gzip.compress(
    (CASES / "filelists.xml").read_bytes().replace(b"/opt/tools/bin/tool", b"/opt/tools/tool"), mtime=0
)
DNF = "install-only\tkernel\nprotected\tdnf\nprotected\tsystemd\n"


def head(primary: bytes = PRIMARY, lists: bytes = FILELISTS) -> str:
    address = "http://cloud/rpm/havana/"
    about = (f"{address} cloud", address, "cloud", "", "", "Lab Cloud", "", "")
    return "\t".join((*about, digest_of(primary), digest_of(lists)))


def text(index: str, present: str = ROWS, dnf: str = DNF) -> str:
    return f"{index}\n=== index 0 0\n{dnf}\n=== dnf 0\n{present}\n=== present 0\n\n=== end 0\n"


def answer(*parts: str, **more: str) -> Reply:
    return parse(text("\n".join(parts), **more), "===", "dnf4")


def test_an_index_is_its_digest_with_that_of_its_list_of_files() -> None:
    found = answer(head(), b64encode(PRIMARY).decode())
    labels = ("rpm", "havana", "cloud", "Lab Cloud")
    assert found.indexes == (
        Index(digest_of(PRIMARY), "http://cloud/rpm/havana/ cloud", labels, "rpm", digest_of(FILELISTS)),
    )
    assert found.files == {digest_of(PRIMARY): PRIMARY}


def test_what_dnf_is_told_is_what_counts() -> None:
    found = answer(head(), dnf="install-only\tvm\nprotected\tdnf\nprotected\tdnf\n").dnf
    assert found.several("vm") and found.several("kernel-core") and not found.several("less")
    assert found.protected == ("dnf",)


def test_packages_are_present_with_what_they_demand() -> None:
    found = answer(head()).present
    assert {name for name, _, _ in found} == {"app", "tools", "kernel-core"}
    assert "(plugin >= 1 if lib else (a or b))" in dict(found["app", "noarch", "1:2.0~rc1-3"])["Requires"]


@pytest.mark.parametrize(
    ("given_text", "reason"),
    [
        (text(head().rpartition("\t")[0]), "no index"),
        (text(head().replace(digest_of(FILELISTS), "abc")), "no index"),
        (text(head() + "\nYQ"), "cut off"),
        (text(head() + "\nYQ=="), "not the one"),
        (text(head(), dnf="forbidden\tx\n"), "line 3: dnf: not understood"),
        (text(head(), present=ROWS.removesuffix("E\n")), "present: .*cut off"),
        (text(head(), present=f"{ROWS}X\tx\nE\n"), "present: .*no row of a package"),
        ("\n=== end 0\n", "does not say what is present"),
    ],
)
def test_what_is_no_answer_is_refused(given_text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse(given_text, "===", "dnf4")


def test_a_refusal_names_the_line() -> None:
    lines = ROWS.count("\n")
    with pytest.raises(InvalidInput, match=f"line {1 + 2 + 4 + lines + 1}: present"):
        answer(head(), present=f"{ROWS}N\ta\nE\n")


@given(st.binary(max_size=200), st.integers(0, 3000))
def test_noise_is_read_or_refused_and_nothing_else(noise: bytes, at: int) -> None:
    whole = text(head())
    with suppress(InvalidInput):
        parse(whole[:at] + noise.decode("utf-8", "surrogateescape") + whole[at:], "===", "dnf4")


# ---------------------------------------------------------------------- a fleet


class Teller:
    """A host that answers as written, and notes what it was asked for."""

    def __init__(self, name: str, files: Mapping[str, bytes], index: str) -> None:
        self.name, self.files, self.index = name, files, index
        self.asked: list[list[str]] = []

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: object) -> Result:
        digests = [word.split()[1] for word in stdin.decode().splitlines() if word.startswith("want ")]
        if digests:
            self.asked.append(digests)
            return Result(0, b"".join(f"{d} {len(self.files[d])}\n".encode() + self.files[d] for d in digests), b"")
        boundary = argv[5]
        return Result(0, text(self.index).replace("===", boundary).encode(), b"")

    def stream(self, argv: Sequence[str], sink: BinaryIO, **options: Any) -> None:
        sink.write(self.run(argv, **options).stdout)


class Debian(Teller):
    """One that has dpkg, and no index."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: object) -> Result:
        said = "Package: less\nArchitecture: all\nVersion: 5\nStatus: installed\n\n\n=== present 0\n\n=== end 0\n"
        return Result(0, said.replace("===", argv[4]).encode(), b"")


class Fleet:
    def __init__(self, *hosts: Teller) -> None:
        self.hosts = {host.name: host for host in hosts}

    def each(self, names: Sequence[str], act: Callable[[Host], Any]) -> dict[str, Any]:
        return {name: act(self.hosts[name]) for name in names}  # type: ignore[arg-type]


def fleet(primary: bytes, lists: bytes) -> Fleet:
    files = {digest_of(data): data for data in (primary, lists)}
    return Fleet(*(Teller(name, files, head(primary, lists)) for name in ("one", "other")))


WANTED = Wanted({}, frozenset({"app", "tools"}), "dnf4")


def test_an_index_is_fetched_once_and_its_list_of_files_only_where_a_path_is_in_no_index(tmp_path: Path) -> None:
    for primary, lists, errands in ((PRIMARY, FILELISTS, [[digest_of(PRIMARY)]]), (ELSEWHERE, FILES_THERE, None)):
        hosts = fleet(primary, lists)
        found = stock(hosts, {"one": WANTED, "other": WANTED}, Shelf(tmp_path / digest_of(primary)))  # type: ignore[arg-type]
        assert found["one"] is found["other"]
        assert hosts.hosts["one"].asked == (errands or [[digest_of(primary)], [digest_of(lists)]])
        assert hosts.hosts["other"].asked == []
        tools = found["one"].find("tools", "noarch", "1:2.0~rc1-3")
        assert tools is not None and tools.labels == (("rpm", "havana", "cloud", "Lab Cloud"),)
        has = dict(tools.control)["Files"].splitlines()
        assert any(path in has for path in ("/opt/tools/bin/tool", "/opt/tools/tool"))
        assert found["one"].dnf.protects("systemd")


def test_hosts_of_both_families_are_asked_in_one_call_and_equal_questions_are_put_once(tmp_path: Path) -> None:
    hosts = fleet(PRIMARY, FILELISTS)
    hosts.hosts["deb"] = Debian("deb", {}, "")
    wanted = {"one": WANTED, "deb": Wanted({}, frozenset({"less"})), "other": WANTED}
    found = stock(hosts, wanted, Shelf(tmp_path))  # type: ignore[arg-type]
    assert found["deb"].present == {("less", "all", "5"): ()} and not found["deb"].candidates
    asked = []

    def solver(then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], _: Foreign) -> Manifest:
        asked.append(now.os.family)
        return Nearest()(then, now, offered, to)

    tools = made("tools=1:2.0~rc1-3")
    facts_of = {name: (rpm_host([]) if name != "deb" else facts(packages=[package("less", "5")])) for name in wanted}
    before = {name: (rpm_host([tools]) if name != "deb" else facts_of[name]) for name in wanted}
    questions = {name: SolverQuestion(before[name], facts_of[name], found[name], {}) for name in wanted}
    manifests = solve_all(solver, questions)
    assert sorted(asked) == ["deb", "rpm"]
    assert {name: one.family for name, one in manifests.items()} == {"one": "rpm", "deb": "deb", "other": "rpm"}
    assert [(one.name, one.action) for one in manifests["other"].changes] == [("tools", "install")]
