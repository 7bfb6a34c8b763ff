"""An ordinary host goes forward and back, and its whole disk is the measure: every difference is none, or has a reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from tests.conftest import Say
from tests.lab import whole
from tests.lab.site import Site

pytestmark = pytest.mark.lab

HOST = LabHost("plain", 120, base="ordinary")
PATIENCE = 1800.0


@pytest.fixture
def plain(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    lab.up([HOST])
    site = Site(tmp_path, lab, {HOST.name: ("debian",)}, patience=PATIENCE)
    site.configure()
    yield site
    site.close()
    lab.reset(HOST.name)


def test_security_updates_and_back_leave_no_difference_without_a_reason(plain: Site, say: Say) -> None:
    plain.lab.run(HOST.name, ["apt-get", "-qq", "update"])
    before = whole.take(plain.lab, [HOST.name])
    plain.upgrade("run", "security-updates", "--yes")
    forward = whole.differences(before, whole.take(plain.lab, [HOST.name]))
    assert "/usr/lib/x86_64-linux-gnu/libssl.so.3" in {change.path for change in forward[0].judgement.unexplained}
    plain.rollback("apply", "--yes")
    say(whole.assert_explained(whole.differences(before, whole.take(plain.lab, [HOST.name]))))
