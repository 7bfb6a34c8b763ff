"""Previews by the real apt of this machine, with repositories, packages and preferences of the test's own in a mount namespace."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from nornir_upgrade.core.packaging.deb.preview import preferences
from nornir_upgrade.core.packaging.model import Repository
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.packaging.preview import EVERYTHING, preview
from nornir_upgrade.core.transport.remote import Sink
from tests.core.local import LocalHost

pytestmark = pytest.mark.lab

_BOUND = ("/etc/apt", "/var/lib/apt", "/var/lib/dpkg")
_ENTER = 'here=$1 parts=$2; shift 2; for part in $parts; do mount --bind "$here$part" "$part" || exit; done; exec "$@"'
SECURITY = Repository(500, "file:/x", "stable-security", "", "amd64", "Debian", "Debian-Security", "one-security")
MAIN = Repository(500, "file:/x", "stable", "", "amd64", "Debian", "Debian", "one")
BACKPORTS = Repository(100, "file:/x", "stable-backports", "", "amd64", "Debian", "Debian Backports", "one-backports")


class Namespaced(LocalHost):
    """This machine with other directories in the places of apt's and dpkg's."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "jobs")
        self.root = directory
        for part in (
            *_BOUND,
            "/etc/apt/sources.list.d",
            "/etc/apt/preferences.d",
            "/var/lib/apt/lists",
            "/var/lib/dpkg/info",
        ):
            (directory / part[1:]).mkdir(parents=True, exist_ok=True)
        (directory / "var/lib/dpkg/status").write_text("")

    def exchange(self, argv: Sequence[str], source: BinaryIO | None, sink: Sink, timeout: float) -> tuple[int, bytes]:
        enter = ("unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self.root), " ".join(_BOUND))
        return super().exchange((*enter, *argv), source, sink, timeout)

    def install(self, *stanzas: str) -> None:
        made = (
            f"{stanza}Status: install ok installed\nArchitecture: all\nMaintainer: x\nDescription: x\n\n"
            for stanza in stanzas
        )
        (self.root / "var/lib/dpkg/status").write_text("".join(made))

    def offer(self, index: Repository, *stanzas: str) -> None:
        """A repository that tells of itself what `index` says."""
        place = self.root / index.suite
        place.mkdir()
        more = "Architecture: all\nMaintainer: x\nDescription: x\nFilename: ./x.deb\nSize: 1\nSHA256: {0:064}\n\n"
        data = "".join(stanza + more.format(number) for number, stanza in enumerate(stanzas)).encode()
        (place / "Packages").write_bytes(data)
        lazy = "NotAutomatic: yes\nButAutomaticUpgrades: yes\n" if index.priority == 100 else ""
        (place / "Release").write_text(
            f"Origin: {index.origin}\nLabel: {index.label}\nSuite: {index.suite}\nCodename: {index.codename}\n"
            f"Components: main\nArchitectures: all\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n{lazy}"
            f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} Packages\n"
        )
        line = f"deb [trusted=yes] file:{place} ./\n"
        (self.root / f"etc/apt/sources.list.d/{index.suite}.list").write_text(line)


def package(name: str, version: str, more: str = "") -> str:
    return f"Package: {name}\nVersion: {version}\n{more}"


def changes(host: Namespaced, request: tuple[str, ...], narrow: str = "") -> dict[str, str]:
    found = preview(host, {}, {"stage": request}, {"stage": narrow} if narrow else {})["stage"]
    return {change.name: change.new for change in found.changes}


@pytest.fixture
def host(tmp_path: Path) -> Namespaced:
    tmp_path.chmod(0o755)
    made = Namespaced(tmp_path)
    made.install(*(package(name, "1") for name in ("openssl", "less", "curl", "pinned")))
    made.offer(
        SECURITY,
        package("openssl", "1.1", "Depends: newlib\n"),
        package("curl", "1.1", "Depends: less (>= 2)\n"),
        package("pinned", "1.1"),
    )
    made.offer(MAIN, package("openssl", "1.2"), package("less", "2"), package("newlib", "3"))
    made.offer(BACKPORTS, package("newlib", "9"))
    return made


def test_a_suite_is_taken_from_alone_and_what_it_needs_anew_comes_from_the_usual_place(host: Namespaced) -> None:
    pins = preferences([Origin(suite="*-security")], (SECURITY, MAIN, BACKPORTS))
    assert changes(host, EVERYTHING) == {"openssl": "1.2", "less": "2", "curl": "1.1", "pinned": "1.1"}
    assert changes(host, EVERYTHING, pins) == {"openssl": "1.1", "newlib": "3", "pinned": "1.1"}
    assert changes(host, ("less",), pins) == {}


def test_a_repository_that_was_not_known_before_is_judged_as_well(host: Namespaced) -> None:
    pins = preferences([Origin(label="Debian-Security")], ())
    assert changes(host, ("openssl", "less"), pins) == {"openssl": "1.1", "newlib": "9"}


def test_a_pin_of_the_hosts_own_still_counts(host: Namespaced) -> None:
    (host.root / "etc/apt/preferences").write_text("Package: pinned\nPin: version 1.1\nPin-Priority: -1\n")
    pins = preferences([Origin(suite="*-security")], (SECURITY, MAIN, BACKPORTS))
    assert "pinned" not in changes(host, EVERYTHING, pins)


def test_a_renamed_package_is_asked_for_under_the_name_that_is_offered(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    host = Namespaced(tmp_path)
    host.install(
        package("shop", "1", "Depends: libshop\n"),
        package("libshop", "1"),
        package("libkept", "1"),
        package("quantum", "1"),
    )
    host.offer(
        MAIN,
        package("shop", "2", "Depends: python3-shop\n"),
        package("python3-shop", "2", "Conflicts: libshop\nReplaces: libshop\n"),
        package("neutron", "2", "Breaks: quantum (<< 2)\n"),
        package("quantum", "2", "Depends: neutron\n"),
        package("libkept", "2"),
    )
    assert changes(host, ("libshop>python3-shop", "shop")) == {"libshop": "", "python3-shop": "2", "shop": "2"}
    assert changes(host, ("libkept>libkeptt64",)) == {"libkept": "2"}
    assert changes(host, ("quantum>neutron",)) == {"neutron": "2", "quantum": "2"}
