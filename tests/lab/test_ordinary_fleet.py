"""Ordinary servers: security updates and back, the web application with its migration and back, measured on whole disks."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.ordinary import fleet
from tests.conftest import OWN, Say
from tests.lab import whole
from tests.lab.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.soak]  # some ten minutes of work for one processor

HOSTS = (fleet.BASTION, *fleet.WEB, fleet.DATABASE, fleet.BALANCER)
NAMES = [host.name for host in HOSTS]
WEB = [host.name for host in fleet.WEB]
SHOP = """\
format: "1.0"
name: shop
repositories:
  deb: {rewrite: [{path: /etc/apt/sources.list.d/shop.list, suites: {shop-old: shop-new}}]}
renames: {libshop-common: python3-shopcore}
services:
  shopapp: {port: 8080, path: /, says: "{version}", timeout: 10}
stages:
  - {name: web, groups: [web], packages: [shopapp, libshop-common], services: [shopapp], serial: "100%"}
"""
_TELLING = "systemctl --failed --plain --no-legend; dpkg --audit; dpkg --verify"


@pytest.fixture
def site(lab_directory: Path) -> Iterator[Site]:
    """A site whose configuration and inventory are those that `lab up ordinary` writes."""
    lab = Lab(lab_directory, prefix=OWN)
    directory = fleet.up(lab, hosts=HOSTS).parent
    shutil.rmtree(directory / "state", ignore_errors=True)
    site = Site(directory, lab, dict.fromkeys(NAMES, ()), patience=1800.0)
    yield site
    site.close()
    lab.reset(*NAMES)


def bash(site: Site, host: str, script: str) -> str:
    return site.text(host, "bash", "--norc", "-c", script)


def answers(site: Site) -> dict[str, str]:
    """What the servers answer, and what they say of themselves; the rows of their database."""
    found = {
        f"{name}: packages": bash(site, name, "dpkg-query -Wf '${binary:Package} ${Version} ${db:Status-Abbrev}\\n'")
        for name in NAMES
    }
    found |= {f"{name}: tells": bash(site, name, _TELLING) for name in NAMES}
    found |= {f"{name}: shop": bash(site, name, "curl -s http://localhost:8080/") for name in WEB}
    found |= {f"{name}: php": bash(site, name, "curl -s http://localhost/index.php") for name in WEB}
    return found | {
        "balanced": bash(site, "lb1", "curl -s http://localhost/ | grep -o '\"items\": [0-9]*'"),
        "redis": bash(site, "lb1", whole.KEYS),
        "mails": bash(site, "db1", "exim4 -bpc"),
        "rows": bash(site, "db1", whole.ROWS),
    }


def test_security_updates_and_back_on_every_server(site: Site, say: Say) -> None:
    for name in NAMES:
        site.text(name, "apt-get", "-qq", "update")
    first, before = answers(site), whole.take(site.lab, NAMES)
    site.upgrade("run", "security-updates", "--yes", "--force")
    there = answers(site)
    assert all(there[f"{name}: packages"] != first[f"{name}: packages"] for name in NAMES)
    assert [there[name] for name in ("balanced", "rows", "redis", "mails")] == [
        first[name] for name in ("balanced", "rows", "redis", "mails")
    ]
    site.rollback("apply", "--yes")
    assert answers(site) == first
    say(whole.assert_explained(whole.differences(before, whole.take(site.lab, NAMES), whole.DATABASES)))


def test_the_application_with_its_migration_and_back(site: Site, say: Say) -> None:
    """The migration is the operator's: today's language has no word for it. The run stops at its gate, and goes on from there."""
    for name in WEB:
        site.text(name, "apt-get", "-qq", "update")
    (site.directory / "shop.yaml").write_text(SHOP)
    first, before = answers(site), whole.take(site.lab, WEB)
    failed = site.upgrade("run", "./shop.yaml", "--yes", "--force", status=3)
    assert "answers 503" in failed.err and "nornir-upgrade resume" in failed.err
    bash(site, WEB[0], "shopapp-migrate")
    site.upgrade("resume", "--yes")
    for name in WEB:
        assert json.loads(bash(site, name, "curl -s http://localhost:8080/"))["version"] == "2.0-1"
    bash(site, WEB[0], "shopapp-migrate --back")
    site.rollback("apply", "--yes")
    assert answers(site) == first
    say(whole.assert_explained(whole.differences(before, whole.take(site.lab, WEB), whole.DATABASES)))
