"""Fixtures of the tests on real hosts."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from nornir_upgrade.lab.lab import Lab
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
def rpm_site(rpm_fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for the RPM hosts alone."""
    yield from _site(rpm_fleet, tmp_path, tuple(RPM_GROUPS), RPM_GROUPS)


@pytest.fixture
def both(fleet: Lab, rpm_fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for the hosts of both families."""
    yield from _site(fleet, tmp_path, tuple(BOTH), BOTH)


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
