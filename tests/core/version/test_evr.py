"""Versions: what is one, which is newer, and which words may reach a package manager."""

import pytest
from hypothesis import example, given

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version import evr
from tests.core.versions import DEB_VERSIONS, FOUND_VERSIONS, RPM_VERSIONS


@given(DEB_VERSIONS)
@example("1:2:3-4")
@example("1:2013.2-0ubuntu1~cloud0")
def test_a_version_prints_as_it_was_written(text: str) -> None:
    assert str(evr.parse(text)) == text


@given(RPM_VERSIONS)
@example("1:1.0~rc1^git1-1.el8")
@example(":1")
@example("1-")
@example("-")
def test_an_rpm_version_prints_as_it_was_written(text: str) -> None:
    assert str(evr.found(text, "rpm")) == text


@given(FOUND_VERSIONS)
def test_a_version_that_is_invalid_prints_as_it_was_found(text: str) -> None:
    assert str(evr.found(text)) == text


def test_a_version_is_taken_apart() -> None:
    assert evr.parse("1:2:3-4-5") == evr.EVR("deb", "1", "2:3-4", "5")
    assert evr.parse("1:2-3.el8", "rpm") == evr.EVR("rpm", "1", "2", "3.el8")
    assert evr.found("x:2-3", "rpm") == evr.EVR("rpm", "", "x:2", "3")
    assert evr.found("2-", "rpm") == evr.EVR("rpm", "", "2-", "")


def test_level_versions_are_not_equal() -> None:
    one, other = evr.parse("1.0"), evr.parse("1.00")
    assert evr.compare(one, other) == 0 and one != other


def test_flavours_have_no_common_order() -> None:
    one, other = evr.parse("1"), evr.parse("1", "rpm")
    with pytest.raises(InvalidInput):
        evr.compare(one, other)
    with pytest.raises(TypeError):
        sorted((one, other), key=evr.key)


@pytest.mark.parametrize("flavour", ["deb", "rpm"])
def test_no_text_is_no_version(flavour: evr.Flavour) -> None:
    for reader in (evr.parse, evr.found):
        with pytest.raises(InvalidInput, match=f"no {flavour} version"):
            reader("", flavour)


@pytest.mark.parametrize("text", ["1 0", "1.0^\n", "1é", "1-", ":1", "a:1", "1/2", "1%{x}", "1-2-3", "1:", "-1"])
def test_what_rpmbuild_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no rpm version"):
        evr.parse(text, "rpm")
    assert str(evr.found(text, "rpm")) == text


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
        "٣:1",
        "²",
        "a1",
        "1:a",
        "0:0-0:0",
        "+1:2",
        " 1",
        "1.0-é",
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
