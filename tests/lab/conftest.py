"""Fixtures of the tests on real hosts."""

import gzip
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from nornir_upgrade.lab.deb import dists
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.releases import HAVANA
from nornir_upgrade.lab.rpm.releases import HAVANA_RPM
from nornir_upgrade.lab.signing import archive_key
from tests.conftest import OWN
from tests.lab.site import BOTH, GROUPS, RPM_GROUPS, Site


@pytest.fixture
def lab_directory(tmp_path: Path) -> Iterator[Path]:
    """Where a test may put a lab of its own, under the prefix OWN; it is taken down afterwards whatever happened."""
    directory = tmp_path / "own"
    yield directory
    Lab(directory, prefix=OWN).down()


@pytest.fixture
def site(fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for the whole fleet, which is as it was provisioned, before and afterwards."""
    yield from _site(fleet, tmp_path, tuple(GROUPS))


@pytest.fixture
def small(fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """As `site`, for tests that change nothing but cmp1: nothing else is reset afterwards."""
    yield from _site(fleet, tmp_path, ("cmp1",))


@pytest.fixture
def control(fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """As `site`, for tests that change nothing but ctl1."""
    yield from _site(fleet, tmp_path, ("ctl1",))


@pytest.fixture
def rpm_small(rpm_fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """As `rpm_site`, for tests that change nothing but rcmp1."""
    yield from _site(rpm_fleet, tmp_path, ("rcmp1",), RPM_GROUPS)


@pytest.fixture
def rpm_site(rpm_fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for the RPM hosts alone."""
    yield from _site(rpm_fleet, tmp_path, tuple(RPM_GROUPS), RPM_GROUPS)


@pytest.fixture
def both(fleet: Lab, rpm_fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for the hosts of both families."""
    yield from _site(fleet, tmp_path, tuple(BOTH), BOTH)


Lose = Callable[[str], None]


@pytest.fixture
def lose(fleet: Lab) -> Iterator[Lose]:
    """The old repository without any version of a package, signed anew; without a name, whole again. It is whole afterwards."""
    root = fleet.repositories / HAVANA.codename
    index = root / "dists" / HAVANA.codename / "main/binary-amd64/Packages"
    whole = index.read_bytes()
    kept = shutil.copytree(root / "dists", fleet.directory / "dists-kept", dirs_exist_ok=True)

    def lost(name: str) -> None:
        stanzas = [one for one in whole.split(b"\n\n") if not one.startswith(f"Package: {name}\n".encode())]
        assert len(stanzas) + bool(name) == len(whole.split(b"\n\n"))
        date = HAVANA.date + 60 + 60 * (not name)
        key = archive_key(fleet.cache)
        dists.write(
            root, HAVANA.codename, b"\n\n".join(stanzas), key, date=date, origin="Lab Cloud", label="Lab Cloud Archive"
        )

    yield lost
    shutil.rmtree(root / "dists")
    shutil.move(kept, root / "dists")


@pytest.fixture
def lose_rpm(rpm_fleet: Lab) -> Iterator[Lose]:
    """The old repository of the RPM hosts without a package. It is whole afterwards."""
    data = rpm_fleet.repositories / "rpm" / HAVANA_RPM.codename / "repodata"
    kept = shutil.copytree(data, rpm_fleet.directory / "repodata-kept", dirs_exist_ok=True)

    def lost(name: str) -> None:
        (file,) = data.glob("*-primary.xml.gz")
        was = file.read_bytes()
        entry = rf'<package type="rpm">\s*<name>{re.escape(name)}</name>.*?</package>'
        text, entries = re.subn(entry, "", gzip.decompress(was).decode(), flags=re.S)
        assert entries == 1
        text = re.sub(r'packages="(\d+)"', lambda match: f'packages="{int(match[1]) - 1}"', text)
        now = gzip.compress(text.encode())
        told = (data / "repomd.xml").read_text()
        for old, new in ((was, now), (gzip.decompress(was), text.encode())):
            told = told.replace(hashlib.sha256(old).hexdigest() + "</", hashlib.sha256(new).hexdigest() + "</")
            told = told.replace(f"size>{len(old)}</", f"size>{len(new)}</")
        file.write_bytes(now)
        (data / "repomd.xml").write_text(told)

    yield lost
    shutil.rmtree(data)
    shutil.move(kept, data)


def _site(
    fleet: Lab, directory: Path, changed: tuple[str, ...], roles: Mapping[str, tuple[str, ...]] = GROUPS
) -> Iterator[Site]:
    site = Site(directory, fleet, roles)
    site.configure()
    yield site
    site.close()
    for name in changed:
        fleet.link(name, True)
    fleet.reset(*changed)
