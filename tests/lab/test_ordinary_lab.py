"""Ordinary hosts: Debian as its installer leaves it, with the archive to get more from."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.ordinary import fleet
from tests.conftest import OWN, Say

pytestmark = pytest.mark.lab

BARE = LabHost("plain", 120, base="ordinary")


def text(lab: Lab, host: str, script: str) -> str:
    return lab.run(host, ["bash", "--norc", "-euc", script]).stdout.decode()


@pytest.fixture
def plain(lab: Lab) -> str:
    """One host that carries nothing but the base; who changes it resets it."""
    lab.up([BARE])
    return BARE.name


def test_an_ordinary_host_is_as_the_installer_leaves_it(lab: Lab, plain: str) -> None:
    assert text(lab, plain, "systemctl is-system-running") == "running\n"
    priorities = "dpkg-query -Wf '${Priority} ${db:Status-Status}\\n' | sort | uniq -c"
    assert "standard installed" in text(lab, plain, priorities)
    assert text(lab, plain, "man -w 5 sources.list").endswith(".gz\n")
    assert "de_DE.utf8" in text(lab, plain, "locale -a")
    assert int(text(lab, plain, "ls /usr/share/doc | wc -l")) > 300
    for absent in ("/etc/apt/apt.conf.d/99mmdebstrap", "/etc/dpkg/dpkg.cfg.d/99mmdebstrap"):
        assert lab.run(plain, ["test", "-e", absent], check=False).returncode == 1


def test_it_has_the_archive_translations_and_security_updates_waiting(lab: Lab, plain: str) -> None:
    assert "Err:" not in text(lab, plain, "apt-get -q update 2>&1")
    assert "Description-en:" in text(lab, plain, "apt-cache show apt")
    assert "Debian-Security:12" in text(lab, plain, "apt-get -s upgrade")
    try:
        assert text(lab, plain, "apt-get -qq -y install hello > /dev/null 2>&1; hello -t") == "hello, world\n"
    finally:
        lab.reset(plain)
    assert list((lab.cache / "mirror/debian/pool/main/h/hello").glob("hello_*_amd64.deb"))


# --- the fleet

STATES = "dpkg-query -Wf '${db:Status-Abbrev} ${Package}:${Architecture} ${Version}\\n'"


@pytest.fixture
def servers(lab_directory: Path, say: Say) -> Lab:
    """The ordinary fleet, in a lab of its own."""
    lab = Lab(lab_directory, prefix=OWN)
    begin = time.monotonic()
    fleet.up(lab)
    say(f"lab up ordinary: {time.monotonic() - begin:.0f} s")
    return lab


def answer(lab: Lab, host: str, url: str) -> Any:
    return json.loads(text(lab, host, f"curl -s {url}"))


def rollback(lab: Lab, *arguments: str) -> str:
    argv = [str(Path(sys.executable).with_name("rollback")), "-c", "ordinary/config.yaml", *arguments]
    done = subprocess.run(argv, cwd=lab.directory, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.soak
def test_the_ordinary_fleet_serves_and_its_inventory_reaches_it(servers: Lab) -> None:
    for host in fleet.FLEET:
        assert text(servers, host.name, "systemctl is-system-running || systemctl --failed") == "running\n"
        assert "Debian-Security" in text(servers, host.name, "apt-get -s upgrade")
    for host in ("web1", "web2"):
        assert answer(servers, host, "http://localhost/")["version"] == "1.4-1"
        assert text(servers, host, "curl -s http://localhost/index.php") == "php 8\n"
    assert answer(servers, "lb1", "http://localhost/")["items"] == 200
    assert text(servers, "lb1", "redis-cli DBSIZE").strip() == "100"
    assert text(servers, "big", "su postgres -c 'psql -Atc \"SELECT count(*) FROM entries\" ledger'") == "1000\n"
    assert text(servers, "big", "mariadb -N -e 'SELECT count(*) FROM wiki.pages'") == "200\n"
    assert "Kept in a mailbox" in text(servers, "big", "cat /var/mail/ops")
    assert text(servers, "db1", "exim4 -bpc").strip() == "3"
    assert len(json.loads(rollback(servers, "snapshot", "-o", "json"))["hosts"]) == len(fleet.FLEET)


@pytest.mark.soak
def test_the_ordinary_fleet_has_what_administrators_did(servers: Lab) -> None:
    assert "Access denied" not in text(servers, "web2", "id -u") and text(servers, "web2", "id -u") == "0\n"
    refused = subprocess.run(
        ["ssh", "-F", str(servers.ssh_config), "root@web2", "true"], capture_output=True, check=False, env=os.environ
    )
    assert refused.returncode == 255 and b"Permission denied" in refused.stderr
    states = text(servers, "web2", STATES)
    assert "hi  curl:amd64" in states and "ii  corp-agent:all" in states
    assert text(servers, "web2", "dpkg-statoverride --list '*wget'").split()[2] == "750"
    assert "local diversion" in text(servers, "web2", "dpkg-divert --list")
    assert text(servers, "web2", "test -L /etc/ssl/certs/corp.pem && echo there") == "there\n"
    assert "rc  dnsmasq:all" in text(servers, "bastion", STATES)
    assert "ii  zlib1g:i386" in text(servers, "lb1", STATES)
    assert text(servers, "db1", "apt-cache show apt | grep -c Description-de") != "0\n"


@pytest.mark.soak
def test_the_shop_goes_to_its_new_version_and_back(servers: Lab) -> None:
    text(servers, "web1", "sed -i s/shop-old/shop-new/ /etc/apt/sources.list.d/shop.list; apt-get -qq update")
    text(servers, "web1", "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install shopapp > /dev/null 2>&1; sleep 1")
    assert "python3-shopcore" in text(servers, "web1", STATES) and "libshop-common" not in text(servers, "web1", STATES)
    assert "schema 14, not 20" in answer(servers, "web1", "http://localhost:8080/")["error"]
    text(servers, "web1", "shopapp-migrate; shopapp-migrate")
    assert answer(servers, "web1", "http://localhost:8080/")["items"] == 200
    assert "schema 20, not 14" in answer(servers, "web2", "http://localhost:8080/")["error"]
    text(servers, "web1", "shopapp-migrate --back")
    assert answer(servers, "web2", "http://localhost:8080/")["items"] == 200
