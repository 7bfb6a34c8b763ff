"""Shipped scenarios, and the one that docs/scenarios.md writes, on an ordinary Debian host: forward and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from tests.lab.picture import Picture, take
from tests.lab.site import Site
from tests.scenario.test_docs import EXAMPLES

pytestmark = pytest.mark.lab

PLAIN = LabHost("plain", 120, base="ordinary")
AREAS = ("packages", "auto", "holds", "audit", "active", "units")
VENDOR = Path(__file__).with_name("vendor.sh").read_text()
SOURCES = "sha256sum /etc/apt/sources.list /etc/apt/sources.list.d/*; stat -c '%n %a %U %G' /etc/apt/sources.list"
PENDING = "apt-get -s dist-upgrade | awk '/^Inst/ { print $2 }'"


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for one ordinary host with a vendor's application."""
    lab.up([PLAIN])
    lab.run(PLAIN.name, ["sh", "-c", VENDOR])
    site = Site(tmp_path, lab, {PLAIN.name: ("web",)}, patience=900.0)
    site.configure()
    yield site
    site.close()
    lab.reset(PLAIN.name)


def picture(site: Site) -> Picture:
    found = take(site.lab, [PLAIN.name])[PLAIN.name]
    return {PLAIN.name: {area: found[area] for area in AREAS}}


def text(site: Site, script: str) -> str:
    return site.text(PLAIN.name, "sh", "-c", script)


def shop(site: Site) -> str:
    return text(site, "curl -s --retry 5 --retry-connrefused http://127.0.0.1:8080/").strip()


def test_security_updates_take_nothing_else_along_and_go_back(site: Site) -> None:
    before, sources = picture(site), text(site, SOURCES)
    pending = set(text(site, PENDING).split())
    assert {"shopapp", "libssl3"} <= pending
    done = site.upgrade("run", "security-updates", "--yes", "--serial", "1")
    assert "the other" in done.said and shop(site) == "shop 1.4-1"
    assert set(text(site, PENDING).split()) == {"shopapp", "python3-shopcore"}
    site.rollback("apply", "--yes")
    assert picture(site) == before and text(site, SOURCES) == sources
    assert set(text(site, PENDING).split()) == pending


def test_the_shop_of_the_guide_goes_forward_and_back_and_answers(site: Site) -> None:
    (site.directory / "shop.yaml").write_text(EXAMPLES["shop.yaml"])
    text(site, "echo '# by hand' >> /etc/shopapp/shop.conf")
    before, conf = picture(site), text(site, "cat /etc/shopapp/shop.conf")
    assert shop(site) == "shop 1.4-1"
    site.upgrade("run", "./shop.yaml", "--yes")
    assert shop(site) == "shop 2.0-1"
    assert "libssl3" in text(site, PENDING)
    back = site.rollback("apply", "--yes")
    assert "begins: verify" in back.said and shop(site) == "shop 1.4-1"
    assert picture(site) == before and text(site, "cat /etc/shopapp/shop.conf") == conf


def test_a_way_back_whose_service_does_not_answer_fails(site: Site) -> None:
    (site.directory / "shop.yaml").write_text(EXAMPLES["shop.yaml"].replace("timeout: 90", "timeout: 30"))
    site.upgrade("run", "./shop.yaml", "--yes")
    # What no package knows of: only a gate sees that the old version does not answer.
    block = "[Service]\nExecStart=\nExecStart=/usr/bin/sleep infinity\n"
    text(
        site,
        f"mkdir -p /run/systemd/system/shopapp.service.d; printf '{block}' > /run/systemd/system/shopapp.service.d/x.conf",
    )
    back = site.start("rollback", "apply", "--yes").end(900.0)
    assert back.status == 5 and "nothing listens on 127.0.0.1 port 8080" in back.said
