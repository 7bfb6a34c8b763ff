"""Findings about what could not be asked: told apart by what apt and dnf say, and by how a host refuses us."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import (
    CommandFailed,
    ConnectionLost,
    DiskFull,
    Failure,
    HostKeyRefused,
    LoginRefused,
    NoSolution,
    SudoRefused,
    Unobtainable,
    Unreachable,
)
from nornir_upgrade.core.facts.gather import SourceFile
from nornir_upgrade.finding import STRICT, WAIVABLE
from nornir_upgrade.preflight.unreachable import of_lost, of_preview, of_unreached
from tests.fake.world import lab, mixed

DOCUMENT = Path(__file__).parents[2] / "docs" / "preflight.md"
ASKED = "cmp1: apt-get update with the new repositories ended with status 100:\n"
DNF = "rcmp1: dnf makecache with the new repositories ended with status 1:\n"


@pytest.mark.parametrize(
    ("failure", "key"),
    [
        (Unreachable("x"), "host-unreachable"),
        (ConnectionLost("x"), "host-unreachable"),
        (HostKeyRefused("x", hint="ssh-keyscan"), "host-key"),
        (LoginRefused("x"), "login-refused"),
        (SudoRefused("x"), "sudo-refused"),
    ],
)
def test_a_host_that_cannot_be_asked(failure: Unreachable, key: str) -> None:
    found = of_unreached("cmp1", failure)
    assert (found.key, found.host, found.severity, found.text) == (key, "cmp1", "blocking", "x")
    assert found.remedy == (failure.hint or "see that it is up, its address, and its port")


@pytest.mark.parametrize(
    ("host", "failure", "key", "remedy"),
    [
        (
            "cmp1",
            Unobtainable(ASKED + "E: Failed to fetch http://a/InRelease  404  Not Found"),
            "repository-unreachable",
            "apt-get update",
        ),
        (
            "cmp1",
            Unobtainable(
                ASKED
                + "E: The repository 'deb [signed-by=/usr/share/keyrings/a.gpg] http://a x' does not have a Release file."
            ),
            "repository-unreachable",
            "apt-get update",
        ),
        (
            "cmp1",
            Unobtainable(ASKED + "E: Release file for http://a/InRelease is expired (invalid since 3d)."),
            "repository-expired",
            "apt-get update",
        ),
        (
            "cmp1",
            Unobtainable(ASKED + "E: Release file for http://a/InRelease is not valid yet (invalid for another 1h)."),
            "repository-expired",
            "apt-get update",
        ),
        (
            "cmp1",
            Unobtainable(
                ASKED + "W: GPG error: http://a x InRelease: The following signatures couldn't be verified: NO_PUBKEY 1"
            ),
            "repository-unsigned",
            "apt-get update",
        ),
        (
            "cmp1",
            Unobtainable(ASKED + "E: The repository 'http://a x InRelease' is not signed."),
            "repository-unsigned",
            "apt-get update",
        ),
        (
            "rcmp1",
            Unobtainable(DNF + "Error: Failed to download metadata for repo 'x': Cannot download repomd.xml"),
            "repository-unreachable",
            "dnf --refresh makecache",
        ),
        (
            "rcmp1",
            Unobtainable(DNF + "repomd.xml GPG signature verification error: Bad GPG signature"),
            "repository-unsigned",
            "dnf --refresh makecache",
        ),
        ("rcmp1", Unobtainable("rcmp1: no repository has nova"), "package-unobtainable", "dnf repolist"),
        ("cmp1", Unobtainable("cmp1: E: Unable to locate package nova"), "package-unobtainable", "apt-cache policy"),
        ("cmp1", NoSolution("cmp1: conflicts"), "no-solution", "apt-get -s install"),
        ("cmp1", NoSolution("cmp1: conflicts", hint="on the host: look"), "no-solution", "on the host: look"),
    ],
)
def test_a_package_manager_that_cannot_say(host: str, failure: Failure, key: str, remedy: str) -> None:
    found = of_preview(mixed().facts[host], failure)
    assert found and (found.key, found.host, found.severity, found.text) == (key, host, "blocking", failure.message)
    assert remedy in found.remedy


def test_what_is_no_finding() -> None:
    assert of_preview(lab().facts["cmp1"], CommandFailed("cmp1", "mktemp", 1, "")) is None


def test_the_document_tells_every_key_and_which_cannot_be_waived() -> None:
    rows = [line.split("|")[1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    told = {key.strip(" `*"): "*" in row for row in rows for key in row.split(",")}
    assert told == dict.fromkeys(WAIVABLE, False) | dict.fromkeys(STRICT, True)


def test_no_key_stands_twice() -> None:
    assert len({*WAIVABLE, *STRICT}) == len(WAIVABLE) + len(STRICT)


def test_a_disk_that_is_too_full_to_be_asked_is_the_finding_of_its_host() -> None:
    found = of_lost("cmp1", DiskFull("cmp1: No space left on device: 9 KiB are needed", hint="make room there"))
    assert (found.key, found.host, found.severity) == ("disk-full", "cmp1", "blocking")
    assert "make room there" in found.remedy and "df -h" in found.remedy


def test_what_may_be_in_the_way_is_named() -> None:
    facts = mixed().facts["cmp1"]
    held = tuple(replace(one, selection="hold") if one.name == "less" else one for one in facts.packages)
    pinned = (*facts.sources, SourceFile("/etc/apt/preferences.d/wget", "0" * 64))
    found = of_preview(replace(facts, packages=held, sources=pinned), NoSolution("cmp1: conflicts"))
    assert found and found.remedy.endswith("held there: less; pins in: /etc/apt/preferences.d/wget")
