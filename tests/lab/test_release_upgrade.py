"""A real host goes from Debian 12 to Debian 13, and comes back to exactly where it was: executed, not simulated."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.lab import Lab
from tests.conftest import OWN, Say
from tests.lab import debian_host, picture
from tests.lab.picture import Picture
from tests.lab.site import NOT_KEPT, Site, assert_equal

pytestmark = [pytest.mark.lab, pytest.mark.soak]  # some four minutes of work for one processor

NAME = debian_host.HOST.name
SCENARIO = str(Path(__file__).with_name("release-upgrade.yaml"))
LABEL = "Debian 12"
# Copies that the tools of passwd(5) make of what they change, and a cache that is in no order of its own.
VOLATILE = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/ld.so.cache")
TOKEN = """\
curl -s -m 30 -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' http://localhost:5000/v3/auth/tokens -d '{"auth":
{"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "domain": {"id": "default"}, "password": "lab"}}}}}'
"""


@pytest.fixture
def site(lab_directory: Path, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for that one host."""
    lab = Lab(lab_directory, prefix=OWN)
    debian_host.up(lab)
    site = Site(tmp_path, lab, {NAME: ("debian",)}, patience=900.0)
    site.configure(hosts={NAME: {"data": {"databases": ["keystone"]}}}, ours=NOT_KEPT)
    yield site
    site.close()


def answers(site: Site) -> dict[str, str]:
    """What the services say to a stranger."""
    return {
        "nginx": site.text(NAME, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://localhost/"),
        "keystone": site.text(NAME, "sh", "-c", TOKEN),
        "mariadb": site.text(NAME, "mariadb", "-N", "-e", "SELECT VERSION()").partition("-")[0].rpartition(".")[0],
        "debian": site.text(NAME, "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip(),
        "failed": site.text(NAME, "systemctl", "--failed", "--plain", "--no-legend"),
    }


def verified(site: Site) -> list[str]:
    """What dpkg-verify finds missing or changed, but for what the lab's bases leave out (`path-exclude`)."""
    lines = site.text(NAME, "dpkg", "--verify").splitlines()
    return [line for line in lines if not re.search(r" /usr/share/(?:man|doc|locale)/", line)]


def stable(found: Picture) -> Picture:
    """Without what has no reason to stay the same."""
    return {
        host: {
            area: {name: text for name, text in there.items() if name not in VOLATILE} for area, there in areas.items()
        }
        for host, areas in found.items()
    }


def installed(found: Picture) -> int:
    return sum(text.endswith(" installed") for text in found[NAME]["packages"].values())


def test_debian_12_to_13_and_back_to_where_it_was(site: Site, say: Say) -> None:
    before, first = picture.take(site.lab, [NAME]), answers(site)
    damaged = verified(site)
    assert first == {"nginx": "200", "keystone": "201", "mariadb": "10.11", "debian": "bookworm", "failed": ""}
    site.rollback("snapshot", "--label", LABEL)

    start = time.monotonic()
    site.upgrade("run", SCENARIO, "--yes", "--stop-after", "1", status=3)
    pool = site.lab.repositories / "trixie/pool"
    aside = pool.rename(pool.with_name("gone"))  # all that comes later was downloaded
    site.upgrade("resume", "--yes")
    aside.rename(pool)
    forward = time.monotonic() - start
    there, second = picture.take(site.lab, [NAME]), answers(site)
    assert second == {**first, "mariadb": "11.8", "debian": "trixie"}
    assert there[NAME]["packages"]["libc6:amd64"].startswith("2.41-")
    assert there[NAME]["packages"]["less"] == before[NAME]["packages"]["less"]

    site.rollback("compute", "--snapshot", LABEL, "--purge", "libwtmpdb0", "--out", "manifests")
    manifest = json.loads((site.directory / "manifests" / f"{NAME}.json").read_text())
    assert not manifest["problems"]
    moving = Counter(change["action"] for change in manifest["changes"])
    transactions = site.transactions(NAME)
    start = time.monotonic()
    back = site.rollback(
        "apply", "--snapshot", LABEL, "--manifest", "manifests", "--purge", "libwtmpdb0", "--restore-db", "--yes"
    )
    backward = time.monotonic() - start
    assert_equal(back.out, 1)
    assert site.transactions(NAME) == transactions + 1

    after = picture.take(site.lab, [NAME])
    different = picture.differences(stable(before), stable(after))
    say(
        f"Debian 12 to 13 and back: {installed(before)} packages, {installed(there)}, {installed(after)}; forward {forward:.0f} s, "
        f"back {backward:.0f} s in one transaction ({', '.join(f'{count} {word}' for word, count in sorted(moving.items()))}); "
        f"differences: {len(different)}"
    )
    assert different == []
    assert answers(site) == first
    # An older MariaDB does not take the data of a newer one: its preinst moved them aside and began anew, and the dump was loaded.
    assert site.text(NAME, "sh", "-c", "cd /var/lib && echo mysql*").split() == ["mysql", "mysql-11.8"]
    assert not after[NAME]["audit"] and not after[NAME]["ours"]
    assert verified(site) == damaged
    assert not [name for name, text in after[NAME]["packages"].items() if "config-files" in text]
