"""Facts compared: what counts as the same host, and what is told when it is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.facts import gather
from nornir_upgrade.core.facts.compare import AREAS, Difference, compare
from nornir_upgrade.core.facts.gather import Conffile, Database, HostFacts, Source
from nornir_upgrade.core.packaging.model import Package

ANSWER = (Path(__file__).parents[2] / "cases" / "facts" / "ctl1.txt").read_text()
BEFORE = gather.parse(ANSWER, "ctl1", "2014-05-01T00:00:00+00:00")


def package(name: str, **changes: object) -> HostFacts:
    """The facts with one package changed."""
    changed = tuple(replace(one, **changes) if one.name == name else one for one in BEFORE.packages)  # type: ignore[arg-type]
    return replace(BEFORE, packages=changed)


def test_a_host_is_where_it_was_whenever_it_was_asked_and_whatever_kernel_runs() -> None:
    later = replace(BEFORE, taken_at="2014-06-01T00:00:00+00:00", os=replace(BEFORE.os, kernel="6.1.0-99-amd64"))
    assert compare(BEFORE, later) == ()


def test_a_version_is_told_before_and_after() -> None:
    (difference,) = compare(BEFORE, package("cron", version="9"))
    assert (difference.area, difference.name, difference.after) == ("packages", "cron:amd64", "9 installed")
    assert str(difference) == f"ctl1: packages: cron:amd64: {difference.before} -> 9 installed"


@pytest.mark.parametrize(
    ("changed", "area", "after"),
    [
        (package("cron", state="half-configured"), "packages", "half-configured"),
        (package("cron", broken=True), "packages", "reinst-required"),
        (package("cron", auto=True), "marks", "auto"),
        (package("cron", selection="hold"), "holds", "held"),
        (
            replace(BEFORE, conffiles=(replace(BEFORE.conffiles[0], digest="0"), *BEFORE.conffiles[1:])),
            "conffiles",
            "0",
        ),
        (
            replace(BEFORE, services=(replace(BEFORE.services[0], active=True), *BEFORE.services[1:])),
            "services",
            "active",
        ),
        (
            replace(BEFORE, services=(replace(BEFORE.services[0], enabled="masked"), *BEFORE.services[1:])),
            "services",
            "mask",
        ),
        (
            replace(BEFORE, sources=(*BEFORE.sources, Source("/etc/apt/sources.list.d/x.list", "1"))),
            "repositories",
            "1",
        ),
        (replace(BEFORE, repositories=()), "repositories", "absent"),
        (replace(BEFORE, databases=(Database("keystone", "1"),)), "databases", "1"),
    ],
)
def test_every_area_is_compared(changed: HostFacts, area: str, after: str) -> None:
    found = compare(BEFORE, changed)
    assert {difference.area for difference in found} == {area} <= set(AREAS)
    assert after in found[0].after
    assert [(one.after, one.before) for one in compare(changed, BEFORE)] == [(one.before, one.after) for one in found]


def test_a_new_package_is_told_with_its_mark() -> None:
    new = Package("neutron-common", "all", "1", "installed", "install", True)
    found = compare(BEFORE, replace(BEFORE, packages=(*BEFORE.packages, new)))
    assert found == (
        Difference("ctl1", "packages", "neutron-common:all", "absent", "1 installed"),
        Difference("ctl1", "marks", "neutron-common:all", "absent", "auto"),
    )


def test_a_package_of_which_only_configuration_is_left_has_no_mark() -> None:
    new = Package("neutron-common", "all", "1", "config-files", "deinstall", False)
    (difference,) = compare(BEFORE, replace(BEFORE, packages=(*BEFORE.packages, new)))
    assert difference.after == "1 config-files"


def test_an_obsolete_conffile_counts_while_its_file_stands() -> None:
    gone = Conffile("/etc/nova/release.conf", "nova-common", "", obsolete=True)
    assert compare(BEFORE, replace(BEFORE, conffiles=(*BEFORE.conffiles, gone))) == ()
    stands = replace(gone, digest="1")
    (difference,) = compare(BEFORE, replace(BEFORE, conffiles=(*BEFORE.conffiles, stands)))
    assert difference == Difference("ctl1", "conffiles", "/etc/nova/release.conf", "absent", "1")


ONE, OTHER = "0" * 32, "1" * 64


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (ONE, OTHER, ("there", "other content")),
        ("absent", OTHER, ("absent", "there")),
        (f"file 0644 0:0 {ONE}", f"file 0644 0:0 {ONE[1:]}1", ("file 0644 0:0", "other content")),
        (f"file 0644 0:0 {ONE}", f"file 0600 0:0 {OTHER}", ("file 0644 0:0", "file 0600 0:0, other content")),
        (f"file 0644 0:0 {ONE}", f"file 0600 0:0 {ONE}", ("file 0644 0:0", "file 0600 0:0")),
        ("1 installed", "2 installed", ("1 installed", "2 installed")),
    ],
)
def test_a_digest_is_no_word_for_people(before: str, after: str, words: tuple[str, str]) -> None:
    difference = Difference("ctl1", "etc", "/etc/motd", before, after)
    assert difference.words == words and difference.other_content is ("other content" in words[1])
    assert str(difference) == f"ctl1: etc: /etc/motd: {words[0]} -> {words[1]}"
