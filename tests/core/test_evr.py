"""Versions: what is one, which is newer, and which words may reach a package manager."""

import itertools
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core import evr
from nornir_upgrade.core.errors import InvalidInput

# Biased towards what the order is about: tildes, plus signs, leading zeros, and versions that differ in little.
_TEXT = st.text("0019ab~~+.", max_size=6)
VERSIONS = st.builds(
    lambda epoch, first, upstream, revision: epoch + first + upstream + (f"-{revision}" if revision else ""),
    st.sampled_from(["", "0:", "1:", "10:"]),
    st.sampled_from("0129"),
    st.text("0019ab~~+.-", max_size=6),
    st.text("0019ab~~+.", min_size=1, max_size=5),
)
RPM_VERSIONS = st.builds(
    lambda epoch, first, upstream, release: epoch + first + upstream + (f"-{release}" if release else ""),
    st.sampled_from(["", "0:", "1:"]),
    st.sampled_from("0129"),
    _TEXT,
    _TEXT,
)


@given(VERSIONS)
@example("1:2:3-4")
@example("1:2013.2-0ubuntu1~cloud0")
def test_a_version_prints_as_it_was_written(text: str) -> None:
    assert str(evr.parse(text)) == text


@given(RPM_VERSIONS)
def test_an_rpm_version_prints_as_it_was_written(text: str) -> None:
    assert str(evr.parse(text, "rpm")) == text


@settings(max_examples=150, deadline=None)
@given(VERSIONS, VERSIONS)
@example("1.0", "1.0-0")
@example("1.", "1.0")
@example("1.0~", "1.0")
@example("0:1", "1")
@example("1-1-1", "1-1")
def test_the_order_is_dpkgs(one: str, other: str) -> None:
    assert _sign(evr.compare(evr.parse(one), evr.parse(other))) == _dpkg(one, other)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_an_order(a: str, b: str, c: str) -> None:
    ordered = sorted((evr.parse(text) for text in (a, b, c)), key=evr.key)
    for older, newer in itertools.combinations(ordered, 2):
        assert evr.compare(older, newer) <= 0 <= evr.compare(newer, older)


def test_level_versions_are_not_equal() -> None:
    one, other = evr.parse("1.0"), evr.parse("1.00")
    assert evr.compare(one, other) == 0 and one != other


# The order as rpm's documentation gives it (rpm-version(7)), and a missing release, which is older than any.
@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [
        ("1.0", "1.1", -1),
        ("1.0~rc1", "1.0", -1),
        ("1.10", "1.9", 1),
        ("1:1.0", "2.0", 1),
        ("0:1.0-1", "1.0-1", 0),
        ("1.0-1", "1.0-2", -1),
        ("1.0", "1.0-2", -1),
        ("1.0a", "1.0.1", -1),
    ],
)
def test_rpms_order(one: str, other: str, sign: int) -> None:
    assert _sign(evr.compare(evr.parse(one, "rpm"), evr.parse(other, "rpm"))) == sign


def test_flavours_have_no_common_order() -> None:
    with pytest.raises(InvalidInput):
        evr.compare(evr.parse("1"), evr.parse("1", "rpm"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.0-",
        "-1",
        "1:",
        ":1",
        "1 0",
        "1.0\n",
        "1.0*",
        "1/2",
        "1_2",
        "a=b",
        "99999999999:1",
        "x:1",
        "1.0-1-",
        "٣.1",
    ],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        evr.check_version(text)


@pytest.mark.parametrize("text", ["libstdc++6", "g++", "python-oslo.messaging", "0ad", "libc6", "python3", "libstdc++"])
def test_names_pass(text: str) -> None:
    assert evr.check_name(text) == text


@pytest.mark.parametrize(
    "text",
    # Each of them is an order to apt, or breaks a line of a report.
    [
        *("sudo-", "sudo+", "-o", "-oDir=/", "--purge", "a=b", "a/b", "~n", "?name(x)", "x*", "[ab]c", "^a", "a:i386"),
        *("a b", "a\n", "ab\n", "", "x", "Foo", "../x", "ä1", "$(id)", "a;b"),
    ],
)
def test_what_apt_would_read_as_an_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        evr.check_name(text)


def test_a_plus_sign_at_the_end_needs_a_known_package() -> None:
    assert evr.check_name("memtest86+", qualified=True) == "memtest86+"
    with pytest.raises(InvalidInput):
        evr.check_name("memtest86-", qualified=True)


@pytest.mark.parametrize(("text", "good"), [("amd64", True), ("all", True), ("", False), ("-a", False), ("a b", False)])
def test_architectures(text: str, good: bool) -> None:
    if good:
        assert evr.check_arch(text) == text
    else:
        with pytest.raises(InvalidInput):
            evr.check_arch(text)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _dpkg(one: str, other: str) -> int:
    def holds(relation: str) -> bool:
        return subprocess.run(["dpkg", "--compare-versions", one, relation, other], check=False).returncode == 0

    return -1 if holds("lt") else int(holds("gt"))
