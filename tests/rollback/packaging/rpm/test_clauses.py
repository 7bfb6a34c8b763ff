"""rpm's packages as they are read: from `rpm -qa`, primary.xml and filelists.xml of the same packages, built from `app.spec`."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.rpm.dependencies import Entry, Rpm, rows, rpm
from nornir_upgrade.core.packaging.rpm.rich_dependencies import Capability, Dependency, Rich, capability, cnf, parse
from nornir_upgrade.core.packaging.rpm.rules import colour, meets, obsoleted, overlap, together
from rollback.packaging.protection import DNF
from rollback.packaging.rpm import filelists, primary
from rollback.packaging.rpm import index as index_rpm
from tests.rollback.rpmworlds import made

CASES = Path(__file__).parents[3] / "cases" / "rpm"
ROWS = (CASES / "rows.txt").read_text()
PRIMARY = (CASES / "primary.xml").read_bytes()
FILELISTS = (CASES / "filelists.xml").read_bytes()


def by_name(entries: tuple[Entry, ...]) -> dict[str, Rpm]:
    return {one.name: one.rpm for one in entries}


def test_a_host_tells_all_that_counts() -> None:
    found = by_name(rows(ROWS))
    assert sorted(found) == ["app", "kernel-core", "tools"]
    app = found["app"]
    assert (app.arch, app.version) == ("noarch", "1:2.0~rc1-3")
    assert list(map(str, app.requires)) == [
        "(lib with lib(x)(64bit) < 3)",
        "(plugin >= 1 if lib else (a or b))",
        "/bin/sh",
        "/opt/tools/bin/tool",
        "config(app) = 1:2.0~rc1-3",
        "lib >= 1:1.0-2",
        "lib < 2",
    ]
    assert Capability("app(x)(64bit)", "=", "2^git") in app.provides
    assert list(map(str, app.conflicts)) == ["(old and older)", "other < 3"]
    assert app.obsoletes == (Capability("application", "<", "2.0"),)
    assert app.files == {"/etc/app.conf", "/usr/bin/app", "/usr/share/app/a file"}


def test_an_index_tells_the_same_but_for_what_createrepo_leaves_out() -> None:
    host, index = by_name(rows(ROWS)), by_name(primary.entries(PRIMARY, "primary.xml"))
    assert host.keys() == index.keys()
    for name, one in index.items():
        mine = host[name]
        assert (mine.version, mine.conflicts, mine.obsoletes, mine.provides) == (
            one.version,
            one.conflicts,
            one.obsoletes,
            one.provides,
        )
        assert set(one.requires) == {each for each in mine.requires if not str(each).startswith("config(")}
        assert one.files == {path for path in mine.files if path.startswith("/etc/") or "bin/" in path}


def test_what_packages_demand_is_read_of_those_wanted_only() -> None:
    found = {one.name: one.control for one in primary.entries(PRIMARY, "primary.xml", {"tools"})}
    assert found["tools"] and not found["app"]


def test_paths_that_an_index_leaves_out_are_found_in_the_list_of_files() -> None:
    content = PRIMARY.replace(b"/opt/tools/bin/tool", b"/opt/tools/tool")
    had = tuple(index_rpm.candidates(content, "primary.xml", {"app", "tools"}))
    unlisted = index_rpm.unlisted(one.control for one in had)
    assert unlisted == {"/opt/tools/tool"}, "and /bin/sh is one that an index would name"
    files = FILELISTS.replace(b"/opt/tools/bin/tool", b"/opt/tools/tool")
    found = filelists.owners(files, "filelists.xml", unlisted)
    assert found == {("tools", "noarch", "1:2.0~rc1-3"): frozenset({"/opt/tools/tool"})}
    before, after = ({one.name: one.control for one in some} for some in (had, index_rpm.with_files(had, found)))
    assert "/opt/tools/tool" in dict(after["tools"])["Files"].splitlines()
    assert after["app"] == before["app"]


def test_an_index_tells_size_and_digest_of_a_package() -> None:
    (app,) = index_rpm.candidates(PRIMARY, "primary.xml", {"app"})
    assert app.size > 0 and re.fullmatch("[0-9a-f]{64}", app.digest)


@given(st.integers(0, len(ROWS) - 1))
def test_an_answer_that_is_cut_off_is_refused_or_ends_with_a_package(size: int) -> None:
    text = ROWS[:size]
    if text == "" or text.endswith("\nE\n"):
        return
    with pytest.raises(InvalidInput, match="rpm -qa"):
        rows(text)


@given(st.integers(0, len(PRIMARY) - 2))
def test_an_index_that_is_cut_off_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="cut off"):
        primary.entries(PRIMARY[:size], "primary.xml")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'flags="GE"', b'flags="XX"', "no range of versions"),
        (b'ver="2^git"', b"", "no range of versions"),
        (b'<rpm:entry name="virtual"/>', b"<rpm:entry/>", "a dependency without name"),
        (b'packages="3"', b'packages="4"', "3 packages, where it says that there are 4"),
    ],
)
def test_an_index_that_does_not_say_what_it_must_is_refused(old: bytes, new: bytes, reason: str) -> None:
    assert old in PRIMARY
    with pytest.raises(InvalidInput, match=f"primary.xml, line [0-9]+: {reason}"):
        primary.entries(PRIMARY.replace(old, new), "primary.xml")


def test_another_list_of_files_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not the list of files"):
        filelists.owners(PRIMARY, "primary.xml", {"/x"})
    with pytest.raises(InvalidInput, match="has no 'ver'"):
        filelists.owners(FILELISTS.replace(b'ver="2.0~rc1"', b""), "filelists.xml", {"/opt/tools/bin/tool"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("N\ta\t0\t1\t1\n", "line 1: 5 columns"),
        ("N\ta\t0\t1\t1\tnoarch\nR\tb\nE\n", "line 2: 3 columns"),
        ("R\tb\t\t\n", "line 1: no row of a package"),
        ("N\ta\t0\t1\t1\tnoarch\nN\tb\t0\t1\t1\tnoarch\n", "line 2: no row of a package"),
        ("N\ta\t0\t1\t1\tz80\nE\n", "line 1: 'z80' is no architecture"),
        ("rpm: command not found\n", "line 1: no row of a package"),
    ],
)
def test_other_answers_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"rpm -qa, {reason}"):
        rows(text)


def test_keys_are_no_packages() -> None:
    assert rows("N\tgpg-pubkey\t0\t1\t1\t(none)\nE\n") == ()


# ---------------------------------------------------------------------- dependencies


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", Capability("a")),
        ("a>=1", Capability("a>=1")),
        ("a => 1:2~3^4-5", Capability("a", ">=", "1:2~3^4-5")),
        ("libc.so.6(GLIBC_2.4)(64bit) == 1", Capability("libc.so.6(GLIBC_2.4)(64bit)", "=", "1")),
        ("( (a) and  perl(B) )", Rich("and", (Capability("a"), Capability("perl(B)")))),
        ("(a or b or c)", Rich("or", tuple(map(Capability, "abc")))),
        ("(a if b < 1 else c)", Rich("if", (Capability("a"), Capability("b", "<", "1"), Capability("c")))),
    ],
)
def test_dependencies_are_read_as_rpm_does(text: str, found: Dependency) -> None:
    assert parse(text) == found
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a >=",
        "a >> 1",
        "(a",
        "a)",
        "()",
        "(a and b or c)",
        "(a if b if c)",
        "(a without b without c)",
        "(a xor b)",
        "(a else b)",
        "a, b",
    ],
)
def test_what_is_no_dependency_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="here"):
        parse(text, "here")


def test_what_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nested too deep"):
        parse("(" * 9999)


def test_a_package_with_a_dependency_of_no_meaning_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="a=1-1: Requires"):
        rpm("a", "noarch", "1-1", (("Requires", "(b"),))
    with pytest.raises(InvalidInput, match=r"a=1-1: Obsoletes.* no boolean dependency"):
        rpm("a", "noarch", "1-1", (("Obsoletes", "(b or c)"),))
    with pytest.raises(InvalidInput, match="capability"):
        capability("(a and b)")


NAMES = ("a", "b", "c")
DEPENDENCIES: st.SearchStrategy[Dependency] = st.recursive(
    st.sampled_from(NAMES).map(Capability),
    lambda terms: st.one_of(
        st.builds(Rich, st.sampled_from(["and", "or"]), st.tuples(terms, terms)),
        st.builds(Rich, st.sampled_from(["if", "unless"]), st.one_of(st.tuples(terms, terms), st.tuples(terms, terms, terms))),
    ),
    max_leaves=6,
)  # fmt: skip


def holds(one: Dependency, there: set[str]) -> bool:
    """rpm's manual, "Boolean Dependencies", once more."""
    if isinstance(one, Capability):
        return one.name in there
    first, second, *rest = (holds(term, there) for term in one.terms)
    match one.op:
        case "and":
            return first and second
        case "or":
            return first or second
        case "if":
            return first if second else not rest or rest[0]
        case _:
            return bool(rest) and rest[0] if second else first


@given(DEPENDENCIES, st.sets(st.sampled_from(NAMES)), st.booleans())
def test_clauses_say_what_the_dependency_says(one: Dependency, there: set[str], wanted: bool) -> None:
    clauses = cnf(one, lambda each: [NAMES.index(each.name) + 1] if isinstance(each, Capability) else [], wanted)
    met = all(any((NAMES[abs(x) - 1] in there) == (x > 0) for x in clause) for clause in clauses)
    assert met == (holds(one, there) == wanted)
    assert parse(str(one)) == one


# ---------------------------------------------------------------------- rules


def test_obsoletes_mean_names_and_never_the_own() -> None:
    owner = made("a=2-1", obsoletes="b < 2, a < 3")
    b, a = owner.obsoletes
    assert obsoleted(made("b=1-1"), b, owner)
    assert not obsoleted(made("b=2-1"), b, owner)
    assert not obsoleted(made("c=1-1", provides="b = 1"), b, owner)
    assert not obsoleted(made("a=1-1"), a, owner)


def test_a_release_counts_where_both_have_one() -> None:
    assert overlap(Capability("v", "=", "1"), Capability("v", "<", "1-2"))
    assert not overlap(Capability("v", "=", "1-3"), Capability("v", "<", "1-2"))
    assert not overlap(Capability("v", "=", "1-3"), Capability("v", ">", "1"))


def test_one_package_meets_with_and_without() -> None:
    one = made("a=1-1", provides="v = 1, w")
    assert meets(one, parse("(v with w)")) and not meets(one, parse("(v without w)"))
    assert meets(one, parse("(v with (x or w))")) and not meets(one, parse("(v with (v and w))"))


def test_architectures_of_different_width_stand_together() -> None:
    assert (colour("x86_64"), colour("s390x"), colour("i686"), colour("noarch")) == (2, 2, 1, 3)
    assert together(made("a=1-1", arch="x86_64"), made("a=2-1", arch="i686"))
    assert not together(made("a=1-1", arch="x86_64"), made("a=1-1"))


def test_what_dnf_knows_as_install_only() -> None:
    assert DNF.several("kernel-core") and DNF.several("kmod-x", ["installonlypkg(kernel-module)"])
    assert not DNF.several("kernel-headers") and not DNF.several("kernel-tools", ["kernel-tools-libs"])
