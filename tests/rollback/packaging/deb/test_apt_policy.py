"""What can be had, from the outputs of real tools and from values written as these tools write them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from rollback.offline import formats
from rollback.packaging.deb import apt_policy, madison
from rollback.packaging.deb.apt_policy import Policy, PolicyPackage, Source, Version
from rollback.packaging.rpm import dnf_list
from rollback.packaging.text import Text
from tests.rollback import rendered
from tests.rollback.rendered import case, text

STATUS = Source(100, None, None, None, "status", "/var/lib/dpkg/status")
WHOLE = """\
nova:
  Installed: 1.0
  Candidate: 2.0
  Version table:
     2.0 500
        500 http://a.example.org/debian new/main amd64 Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
"""


def archive(suite: str, priority: int = 500) -> Source:
    raw = f"file:/srv/archive {suite} amd64 Packages"
    return Source(priority, "file:/srv/archive", suite, "amd64", "archive", raw)


def found(policy: Policy) -> dict[str, PolicyPackage]:
    return {package.package: package for package in policy.packages}


# ---------------------------------------------------------------------- apt-cache policy


def test_apt_shows_every_version_once_for_each_content_with_its_sources() -> None:
    packages = found(formats.policy(case("policy.txt")))
    assert list(packages) == [
        "acme-agent",
        "acme-broken",
        "acme-held",
        "acme-gone",
        "libacme1",
        "libacme1:i386",
        "phased",
    ]
    assert packages["acme-held"] == PolicyPackage(
        "acme-held",
        "1.0-1",
        "1.0-1",
        (
            Version("1.0-1", 500, False, (archive("new/main"),)),
            Version("1.0-1", 100, True, (STATUS,)),
            Version("0.9-1", -10, False, (archive("old/main"),)),
        ),
    )


def test_what_is_removed_is_not_installed_though_dpkg_knows_its_version() -> None:
    gone = found(formats.policy(case("policy.txt")))["acme-gone"]
    assert (gone.installed, gone.candidate) == (None, None)
    assert gone.versions == (Version("1.0-2", -1, False, (STATUS,)),)


def test_phased_versions_keep_their_percentage() -> None:
    phased = found(formats.policy(case("policy.txt")))["phased"]
    assert [(one.version, one.phased) for one in phased.versions] == [("1.1", 50), ("1.0", None)]


@pytest.mark.parametrize(
    ("line", "uri", "suite", "arch", "kind"),
    [
        (
            "http://a.example.org/debian sid/main amd64 Packages",
            "http://a.example.org/debian",
            "sid/main",
            "amd64",
            "archive",
        ),
        (
            "http://a.example.org/ubuntu lucid/main Packages",
            "http://a.example.org/ubuntu",
            "lucid/main",
            None,
            "archive",
        ),
        (
            "http://a.example.org/ubuntu lucid/main packages",
            "http://a.example.org/ubuntu",
            "lucid/main",
            None,
            "archive",
        ),
        ("file:/srv/flat  Packages", "file:/srv/flat", None, None, "archive"),
        ("file:/srv/flat ./ Packages", "file:/srv/flat", "./", None, "archive"),
        ("cdrom:[A B 12]/ sid/main amd64 Packages", "cdrom:[A B 12]/", "sid/main", "amd64", "archive"),
        ("/srv/Packages", "/srv/Packages", None, None, "archive"),
        ("/var/lib/dpkg/status", None, None, None, "status"),
    ],
)
def test_sources_of_every_kind(line: str, uri: str | None, suite: str | None, arch: str | None, kind: str) -> None:
    assert apt_policy.source(500, line) == Source(500, uri, suite, arch, kind, line)  # type: ignore[arg-type]


def test_warnings_of_apt_are_noted_and_its_errors_refused() -> None:
    noted = apt_policy.parse(text(f"{WHOLE}W: something odd\n"))
    assert [(note.line, note.text) for note in noted.notes] == [(9, "W: something odd")]
    with pytest.raises(InvalidInput, match="line 9: apt failed"):
        apt_policy.parse(text(f"{WHOLE}E: no such file\n"))


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("  Installed: 1.0", "  Installiert: 1.0", 2, "not understood"),
        ("  Installed: 1.0", "  Installé\u00a0: 1.0", 2, "not understood"),
        ("  Installed: 1.0", "  Installed: 3.0", 8, "contradicts itself"),
        ("  Candidate: 2.0", "  Candidate: 3.0", 8, "its candidate is not in its table"),
        ("  Version table:\n", "", 4, "not understood"),
        ("  Candidate: 2.0\n", "", 3, "not understood"),
        ("  Candidate: 2.0", "  Candidate: 2.0\n  Candidate: 2.0", 4, "second time"),
        ("2.0 500\n", "2.0 500 (who knows)\n", 5, "not understood"),
        ("2.0 500\n", "2.0\n", 5, "not understood"),
        ("     2.0 500\n", "     -oDpkg::Foo=x 500\n", 5, "is no deb version"),
        ("        500 http://a.example.org/debian new/main amd64 Packages\n", "", 5, "names no source"),
        (" amd64 Packages", " amd64 pkglist", 6, "is no source of packages"),
        ("/debian new/main amd64 Packages", "/debian", 7, "is no source of packages"),
        ("nova:\n", "nova-:\n", 1, "no name of a Debian package"),
        ("nova:\n", "no*:\n", 1, "no name of a Debian package"),
        ("nova:\n", "", 1, "not understood"),
        ("nova:\n", "nova:a/b:\n", 1, "no Debian architecture"),
        (" *** ", "     ", 8, "stands at no version"),
    ],
)
def test_what_is_not_the_whole_of_it_is_refused_with_line_and_reason(
    old: str, new: str, line: int, reason: str
) -> None:
    assert old in WHOLE
    with pytest.raises(InvalidInput, match=reason) as refused:
        apt_policy.parse(text(WHOLE.replace(old, new, 1)))
    assert f"line {line}:" in refused.value.message


def test_the_list_of_all_sources_is_no_policy_of_packages() -> None:
    with pytest.raises(InvalidInput, match="line 1: this is the list of all sources"):
        formats.policy(case("global.txt"))


# ---------------------------------------------------------------------- madison and dnf


def test_madison_groups_versions_by_package_and_knows_nothing_else() -> None:
    packages = found(formats.policy(case("madison.txt")))
    assert list(packages) == ["acme-held", "libacme1", "phased"]
    held = packages["acme-held"]
    assert (held.installed, held.candidate) == (None, None)
    new, old = (
        Version(
            version, None, False, (Source(None, *_of(suite), "archive", f"file:/srv/archive {suite} amd64 Packages"),)
        )
        for version, suite in (("1.0-1", "new/main"), ("0.9-1", "old/main"))
    )
    assert held.versions == (new, old)


def _of(suite: str) -> tuple[str, str, str]:
    return "file:/srv/archive", suite, "amd64"


def test_madison_leaves_source_packages_out() -> None:
    row = " nova | 1.0 | http://a.example.org/debian sid/main "
    policy = madison.parse(text(f"{row}amd64 Packages\n{row}Sources\n"))
    assert [len(one.sources) for package in policy.packages for one in package.versions] == [1]


@pytest.mark.parametrize(
    "line", ["nova | 1.0", "nova | 1.0 | http://a/ sid/main", "sudo- | 1 | http://a/ s/m amd64 Packages"]
)
def test_madison_refuses_other_rows(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        madison.parse(text(f"{line}\n"))


def test_dnf_tells_installed_versions_from_those_on_offer() -> None:
    packages = found(formats.policy(case("dnf_list.txt")))
    glibc = packages["glibc"]
    assert (glibc.installed, glibc.candidate) == ("2.34-60", None)
    rows = [(one.version, source.arch, source.kind, source.suite) for one in glibc.versions for source in one.sources]
    assert rows == [
        ("2.34-60", "x86_64", "status", "@System"),
        ("2.34-60", "x86_64", "archive", "base"),
        ("2.34-83", "i686", "archive", "base"),
        ("2.34-83", "x86_64", "archive", "base"),
    ]
    assert packages["kernel-core"].installed == "5.14.0-427.13.1.el9"
    assert packages["docker-ce"].versions[1].version == "3:24.0.7-1.el9"


def test_dnf_rows_go_on_in_the_next_line() -> None:
    wrapped = "Available Packages\nvery-long-name.noarch\n      1:1.0-1 base\nother.x86_64  2.0-1.longish\n     base\n"
    assert [package.versions[0].version for package in dnf_list.parse(text(wrapped)).packages] == [
        "1:1.0-1",
        "2.0-1.longish",
    ]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("Installierte Pakete\nbash.x86_64  5-1  @base\n", 1, "no heading that is known"),
        ("可安装的软件包\nbash.x86_64  5-1  base\n", 1, "no heading that is known"),
        ("Available Packages\nbash.x86_64  5-1\n", 2, "cut off"),
        ("Available Packages\nbash.x86_64\nzsh.x86_64 1-1 base\n", 2, "cut off"),
        ("Available Packages\nbash.x86_64  5\n  base\n", 2, "has no release"),
        ("Available Packages\n-x.x86_64  5-1 base\n", 2, "no name of an rpm package"),
        ("Error: No matching Packages to list\n", 1, "the command failed"),
        ("Loaded plugins: a, b\n", 1, "neither"),
    ],
)
def test_dnf_refuses_what_does_not_say_what_is_installed(content: str, line: int, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        dnf_list.parse(text(content))
    assert f"line {line}:" in refused.value.message


def test_talk_of_plugins_is_noted_and_an_empty_list_is_empty() -> None:
    policy = dnf_list.parse(text("Loaded plugins: a\n              : b\nAvailable Packages\n"))
    assert (policy.packages, [note.line for note in policy.notes]) == ((), [1, 2])


@pytest.mark.parametrize("content", ["hello\n", "Paketdateien:\n", "Pakete:\n", "[]\n"])
def test_foreign_files_are_refused(content: str) -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        formats.policy(text(content))


@pytest.mark.parametrize("data", [b"", b"\n \n", b"Installiert: M\xfcnchen\n", b"a\0b\n"])
def test_no_text_is_no_empty_list(data: bytes) -> None:
    from rollback.packaging.text import decode

    with pytest.raises(InvalidInput, match="line 1"):
        decode(data, "file")


# ---------------------------------------------------------------------- laws

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,8}[a-z0-9](:(i386|amd64))?", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]{1,3}:)?[0-9][a-z0-9.+~]{0,6}(-[0-9][a-z0-9.+~]{0,4})?", fullmatch=True)
SOURCES = st.builds(
    lambda priority, suite, arch: Source(
        priority, "http://a.example.org/x", suite, arch, "archive", f"http://a.example.org/x {suite} {arch} Packages"
    ),
    st.integers(-32768, 32767),
    st.sampled_from(["sid/main", "precise-updates/grizzly/main"]),
    st.sampled_from(["amd64", "all"]),
)


@st.composite
def packages(draw: st.DrawFn) -> PolicyPackage:
    versions = draw(st.lists(VERSIONS, max_size=4))
    here = draw(st.none() | st.integers(0, len(versions) - 1)) if versions else None
    table = []
    for number, version in enumerate(versions):
        sources = tuple(draw(st.lists(SOURCES, min_size=1, max_size=3))) + ((STATUS,) if number == here else ())
        phased = draw(st.none() | st.integers(0, 100))
        table.append(Version(version, draw(st.integers(-32768, 32767)), number == here, sources, phased))
    candidate = draw(st.none() | st.sampled_from(versions)) if versions else None
    return PolicyPackage(draw(NAMES), versions[here] if here is not None else None, candidate, tuple(table))


@given(st.lists(packages(), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_what_is_written_is_read(values: list[PolicyPackage], indented: bool, wrapped: bool) -> None:
    content = rendered.policy(values, indented=indented, wrapped=wrapped)
    assert apt_policy.parse(text(content)).packages == tuple(values)


@pytest.mark.parametrize(
    ("name", "parse"),
    [("policy.txt", apt_policy.parse), ("madison.txt", madison.parse), ("dnf_list.txt", dnf_list.parse)],
)
def test_a_file_that_is_cut_off_is_refused_or_said_to_be_or_read_up_to_a_whole_line(
    name: str, parse: Callable[[Text], Policy]
) -> None:
    content = case(name).content
    whole = parse(text(content)).packages
    for end in range(1, len(content)):
        try:
            policy = parse(text(content[:end]))
        except InvalidInput as refused:
            assert "line " in refused.message
            continue
        if not content[:end].endswith("\n"):
            assert any("cut off" in note.text for note in policy.notes)
            continue
        for one, all_of_it in zip(policy.packages, whole, strict=False):
            for version, entire in zip(one.versions, all_of_it.versions, strict=False):
                assert version.version == entire.version
                assert version.sources == entire.sources[: len(version.sources)]


@given(st.text(max_size=60))
def test_noise_is_refused(noise: str) -> None:
    content = f"Listing...\n{noise}\n"
    try:
        policy = formats.policy(text(content))
    except InvalidInput as refused:
        assert "line " in refused.message
    else:
        assert policy.packages or policy.notes
