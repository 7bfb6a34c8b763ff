"""Installed packages, from the outputs of real tools and from values written as these tools write them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from rollback.offline import formats
from rollback.packaging.listing import Listing
from tests.rollback.rendered import case, text

AGENT = "2147483647:1.0~rc1+git20240101.abcdef0-0.1+b1"
DEB_STATES = {
    ("acme-agent", "amd64", AGENT, False, ""),
    ("acme-broken", "all", "2.0-1", False, "half-installed, must be reinstalled"),
    ("acme-half", "all", "0.9", False, "half-configured"),
    ("acme-held", "amd64", "1.0-1", True, ""),
    ("acme-unpacked", "all", "3.1-1", False, "unpacked"),
    ("acme-waits", "all", "1.5", False, ""),
    ("g++", "amd64", "4:12.2.0-3", False, ""),
    ("libacme1", "amd64", "1:2.0-1", False, ""),
    ("libacme1", "i386", "1:2.0-1", False, ""),
}
RPMS = {
    ("a-very-long-name-of-a-package-that-widens-columns", "noarch", "1:1.10.10-1.fc28"),
    ("bash", "x86_64", "5.1.8-6.el9"),
    ("docker-ce", "x86_64", "3:24.0.6-1.el9"),
    ("glibc", "x86_64", "2.34-60"),
    ("kernel-core", "x86_64", "5.14.0-362.8.1.el9"),
    ("kernel-core", "x86_64", "5.14.0-427.13.1.el9"),
    ("tilde-caret", "noarch", "1.0~rc1^git3-1"),
}


def listing(content: str) -> Listing:
    return formats.listing(text(content))


def rows(found: Listing) -> set[tuple[str, str, str]]:
    assert len({(one.name, one.arch, one.version) for one in found}) == len(found.packages)
    return {(one.name, one.arch, one.version) for one in found}


# ---------------------------------------------------------------------- dpkg


@pytest.mark.parametrize("name", ["query_letters.txt", "query_words.txt", "table.txt"])
def test_dpkg_tells_version_architecture_hold_and_state_of_what_is_there(name: str) -> None:
    found = formats.listing(case(name))
    assert (found.family, found.notes) == ("deb", ())
    assert {(one.name, one.arch, one.version, one.hold, one.trouble) for one in found} == DEB_STATES


def test_selections_know_neither_version_nor_an_architecture_that_is_plain() -> None:
    found = formats.listing(case("selections.txt"))
    assert {(one.name, one.arch, one.hold) for one in found} == {
        *(
            (name, "", False)
            for name in ("acme-agent", "acme-broken", "acme-half", "acme-unpacked", "acme-waits", "g++")
        ),
        ("acme-held", "", True),
        ("libacme1", "amd64", False),
        ("libacme1", "i386", False),
    }
    assert {one.version for one in found} == {""}


def test_plain_dpkg_query_does_not_know_what_is_removed_and_says_so() -> None:
    found = formats.listing(case("query.txt"))
    assert {one.name for one in found} == {name for name, *_ in DEB_STATES} | {"acme-gone", "acme-purge"}
    assert any("removed with their configuration left" in note.text for note in found.notes)


def test_our_own_query_is_read_as_well() -> None:
    found = listing("nova\tall\t1.0-1\tinstall\tok\tinstalled\nold\tall\t1\tdeinstall\tok\tconfig-files\n")
    assert rows(found) == {("nova", "all", "1.0-1")}


def test_packages_that_were_not_found_are_noted() -> None:
    found = listing("bash\t5.1-2\ndpkg-query: no packages found matching nosuch\n")
    assert rows(found) == {("bash", "", "5.1-2")}
    assert found.notes[0].line == 2


TABLE = """\
Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
||/ Name                     Version      Architecture Description
+++-========================-============-============-================
ii  microcode                3.2019.1+rea amd64        firmware
ii  bash                     5.1-2        amd64        a shell
"""
WIDE = TABLE.replace("-============-============-", "-====================-============-")


def test_a_version_that_a_terminal_may_have_cut_off_counts_as_not_said() -> None:
    found = listing(TABLE)
    assert rows(found) == {("microcode", "amd64", ""), ("bash", "amd64", "5.1-2")}
    assert [note.line for note in found.notes] == [6]


def test_a_name_that_a_terminal_may_have_cut_off_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"line 6: .*may be cut off"):
        listing(WIDE.replace("microcode               ", "microcode-for-this-board"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("nova\tinstall\nneutron\tinst\n", 2),
        ("nova\tinstall\nneutron\n", 2),
        ("nova\tinstall\nneutron install install\n", 2),
        ("nova\tinstall\nsudo-\tinstall\n", 2),
        ("nova\tinstall\n-oDpkg::Foo=x\tinstall\n", 2),
        ("nova\tinstall\nno*\tinstall\n", 2),
        ("nova\tinstall\nnova\tinstall\n", 2),
        ("nova\t1.0\nneutron\t1.0 junk\n", 2),
        ("nova\t1.0\nneutron\n", 2),
        ("nova\t1.0\tall\tii \nneutron\t1.0\tall\tzz \n", 2),
        ("nova 1.0 all install ok installed\nneutron 1.0 all install\n", 2),
        ("nova 1.0 all install ok installed\nneutron 1.0 all install bad installed\n", 2),
        (TABLE.replace("ii  bash", "xx  bash"), 7),
        (TABLE.replace("Desired=Unknown", "Gewünscht=Unbekannt"), 1),
        (TABLE.replace("a shell", "a shell\nsomething"), 8),
        ("Hello, this is a letter.\nIt names no package.\n", 1),
        ("Package: nova\nVersion: 1.0\n", 1),
    ],
)
def test_other_lines_are_refused(content: str, line: int) -> None:
    with pytest.raises(InvalidInput, match=f"line {line}:"):
        listing(content)


# ---------------------------------------------------------------------- rpm


@pytest.mark.parametrize("name", ["rpm_columns.txt", "rpm_epochnum.txt", "rpm_info.txt"])
def test_formats_that_tell_the_epoch(name: str) -> None:
    found = formats.listing(case(name))
    assert found.family == "rpm"
    assert rows(found) == RPMS
    assert all(one.epoch_told for one in found)


@pytest.mark.parametrize("name", ["rpm_plain.txt", "rpm_last.txt"])
def test_plain_rpm_keeps_epochs_to_itself(name: str) -> None:
    found = formats.listing(case(name))
    assert rows(found) == {(one, arch, version.rpartition(":")[2]) for one, arch, version in RPMS}
    assert not any(one.epoch_told for one in found)


def test_a_long_name_leaves_one_blank_before_its_day() -> None:
    found = listing("a-long-name-1.0-1.noarch Sat Nov 21 10:00:00 2026\n")
    assert (found.family, rows(found)) == ("rpm", {("a-long-name", "noarch", "1.0-1")})


def test_nevra_tells_an_epoch_only_where_there_is_one() -> None:
    found = formats.listing(case("rpm_nevra.txt"))
    assert rows(found) == RPMS


def test_json_rows_and_warnings_between_them() -> None:
    row = '{"name":"log4j","epoch":"(none)","version":"1.2","release":"15.el7","arch":"noarch"}'
    found = listing(f"warning: no SHA1\n{row}\n")
    assert (rows(found), [note.line for note in found.notes], found.unread) == (
        {("log4j", "noarch", "1.2-15.el7")},
        [1],
        (),
    )


def test_names_hold_hyphens_and_dots_and_keys_are_no_packages() -> None:
    found = listing(
        "oracleasm-2.6.18-164.el5-2.0.5-1.el5.x86_64\ngpg-pubkey-0608b895-4bd22942\nlibaio-devel-0.3.106-5\n"
    )
    assert rows(found) == {("oracleasm-2.6.18-164.el5", "x86_64", "2.0.5-1.el5"), ("libaio-devel", "", "0.3.106-5")}


def test_a_line_that_a_package_may_stand_behind_is_kept_as_unread() -> None:
    found = listing(
        "bash-5.1-6.x86_64\nopenssh-server#$%^5.3p1$%^104.x86_64\nerror: rpmdb: skipping h# 753\nzsh-1-1.noarch\n"
    )
    assert [note.line for note in found.unread] == [2, 3]
    assert {one.name for one in found} == {"bash", "zsh"}


def test_a_file_with_more_other_lines_than_packages_is_no_list() -> None:
    with pytest.raises(InvalidInput, match="line 1:"):
        listing("Dear colleague,\nplease look at\nbash-5.1-6.x86_64\n")


@pytest.mark.parametrize(
    "content",
    [
        "error: rpmdb: BDB0113 Thread died\nerror: cannot open Packages database\n",
        "error: cannot open Packages database\n",
        "package nova is not installed\n",
        "warning: nothing\n",
        '{"name": 1}\n',
        "Epoch       : 1\nName        : make\n",
        "Name        : make\nVersion     : 3\n",
        "Name        : make\nVersion     : 3\nRelease     : 1\nArchitecture: z80\nDescription :\n",
        '{"name":"a","epoch":"(none)","version":"1;rm","release":"1","arch":"noarch"}\n',
        "--setopt=x-1-1.noarch\n",
        "no*-1-1.noarch\n",
        "@group-1-1.noarch\n",
        "/etc/passwd-1-1.noarch\n",
    ],
)
def test_a_broken_database_and_foreign_lines_are_no_empty_list(content: str) -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        listing(content)


# ---------------------------------------------------------------------- laws

DEB_NAME = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,8}[a-z0-9]", fullmatch=True)
VERSION = st.from_regex(r"([1-9]:)?[0-9][A-Za-z0-9.~]{0,6}-[0-9][A-Za-z0-9.~]{0,3}", fullmatch=True)
ARCH = st.sampled_from(["amd64", "i386", "all"])
STATE = st.sampled_from(
    [("install ok installed", "ii "), ("hold ok installed", "hi "), ("install ok half-configured", "iF ")]
)
PACKAGES = st.lists(st.tuples(DEB_NAME, VERSION, ARCH, STATE), min_size=1, max_size=6, unique_by=lambda row: row[0])

Render = Callable[[tuple[str, str, str, tuple[str, str]]], str]
RENDER: dict[str, Render] = {
    "letters": lambda row: f"{row[0]}\t{row[1]}\t{row[2]}\t{row[3][1]}",
    "words": lambda row: f"{row[0]} {row[1]} {row[2]} {row[3][0]}",
    "ours": lambda row: "\t".join((row[0], row[2], row[1], *row[3][0].split())),
}


@pytest.mark.parametrize("form", RENDER)
@given(PACKAGES)
def test_what_dpkg_query_writes_is_read(form: str, packages: list[tuple[str, str, str, tuple[str, str]]]) -> None:
    found = listing("".join(f"{RENDER[form](row)}\n" for row in packages))
    assert [(one.name, one.version, one.arch, one.hold) for one in found] == [
        (name, version, arch, words.startswith("hold")) for name, version, arch, (words, _) in packages
    ]


RPM_NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9.+_-]{0,10}", fullmatch=True).filter(lambda name: name != "gpg-pubkey")
PART = st.from_regex(r"[0-9][A-Za-z0-9.~^_+]{0,6}", fullmatch=True)
RPM = st.tuples(
    RPM_NAME, st.sampled_from(["(none)", "1", "12"]), PART, PART, st.sampled_from(["x86_64", "noarch", "i686"])
)


@given(st.lists(RPM, min_size=1, max_size=6))
def test_what_rpm_writes_in_columns_is_read(packages: list[tuple[str, str, str, str, str]]) -> None:
    found = listing("".join("\t".join(row) + "\n" for row in packages))
    assert [(one.name, one.version, one.arch) for one in found] == [
        (name, f"{'' if epoch == '(none)' else epoch + ':'}{version}-{release}", arch)
        for name, epoch, version, release, arch in packages
    ]
    assert not found.unread


@pytest.mark.parametrize(
    "name",
    [
        "selections.txt",
        "query.txt",
        "query_letters.txt",
        "query_words.txt",
        "table.txt",
        "rpm_plain.txt",
        "rpm_columns.txt",
    ],
)
def test_a_list_that_is_cut_off_is_refused_or_said_to_be_or_read_up_to_a_whole_line(name: str) -> None:
    content = case(name).content
    whole = [(one.name, one.arch) for one in listing(content)]
    for end in range(1, len(content)):
        try:
            found = listing(content[:end])
        except InvalidInput as refused:
            assert "line " in refused.message
            continue
        if content[:end].endswith("\n"):
            assert [(one.name, one.arch) for one in found] == whole[: len(found.packages)]
        else:
            assert any("cut off" in note.text for note in (*found.notes, *found.unread))


@given(st.text(max_size=60))
def test_noise_is_no_package(noise: str) -> None:
    content = f"nova\tinstall\n{noise}\n"
    try:
        found = listing(content)
    except InvalidInput as refused:
        assert "line " in refused.message
    else:
        assert all(one.name == "nova" or one.name in noise for one in found)
