"""Ordinary hosts: Debian as its installer leaves it, with the archive to get more from."""

import pytest

from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab

pytestmark = pytest.mark.lab

BARE = LabHost("plain", 120, base="ordinary")


def text(lab: Lab, host: str, script: str) -> str:
    return lab.run(host, ["bash", "-euc", script]).stdout.decode()


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
