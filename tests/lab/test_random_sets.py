"""Debian 12 to 13 and back with random sets of packages: at every moment somebody can log in, and all packages are as before."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from tests.conftest import OWN, Say
from tests.lab.draws import draw
from tests.lab.prober import Prober
from tests.lab.site import NOT_KEPT, Site

pytestmark = [pytest.mark.lab, pytest.mark.soak]  # some ten minutes of work for one processor, each

HOST = LabHost("drawn", 121, base="ordinary")
GIVEN = os.environ.get("NORNIR_UPGRADE_SEEDS", "")
SEEDS = [int(word) for word in GIVEN.split()] or [random.SystemRandom().randrange(10**6) for _ in range(5)]
"""Printed, and had again by NORNIR_UPGRADE_SEEDS='1 2 3'."""
_STATES = "dpkg-query -Wf '${binary:Package} ${Version} ${db:Status-Abbrev}\\n'; apt-mark showauto; apt-mark showhold"


@pytest.fixture
def site(lab_directory: Path, tmp_path: Path) -> Iterator[Site]:
    lab = Lab(lab_directory, prefix=OWN)
    lab.up([HOST])
    site = Site(tmp_path, lab, {HOST.name: ("drawn",)}, patience=3600.0)
    site.configure(ours=NOT_KEPT)
    yield site
    site.close()
    lab.reset(HOST.name)


@pytest.mark.parametrize("seed", SEEDS)
def test_12_to_13_and_back_with_nobody_locked_out(site: Site, seed: int, say: Say) -> None:
    name = HOST.name
    drawn = draw(site.lab, name, seed)
    say(f"seed {seed}: {drawn.packages} packages; asked for: {' '.join(drawn.asked)}")
    before = site.text(name, "sh", "-c", _STATES)
    prober = Prober(site.lab, name)
    try:
        with prober:
            site.upgrade("run", "release-upgrade", "--yes", "--force", "--accept-no-way-back", name)
            assert site.text(name, "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip() == "trixie"
            site.rollback("apply", "--purge", "*", "--yes")  # whatever the newer packages wrote is given up
    finally:
        found = prober.lock_outs()
        say(
            f"seed {seed}: {len(prober.attempts)} logins, {prober.refused} refused, lock-outs: {len(found)} {found[:3]}"
        )
    assert prober.lock_outs() == []
    assert site.text(name, "sh", "-c", _STATES) == before
