"""What others do meanwhile, and unkind packages, on an ordinary host: each ends as the documentation says, and nothing is lost."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.deb import shop
from nornir_upgrade.lab.deb.shop import Package
from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.payload import Entry
from tests.lab.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.soak]  # some four minutes, most of them spent waiting

HOST = LabHost("plain", 120, base="ordinary")
NAME = HOST.name
SCENARIO = """\
format: "1.0"
name: local
services: {{slowd: {{port: 8099, timeout: {timeout}}}}}
stages:
  - {{name: local, packages: [{packages}], services: [{services}]}}
"""
_UNIT = """\
[Service]
ExecStart=/bin/sh -c 'sleep {delay}; exec python3 -m http.server --directory /usr/share/doc 8099'
[Install]
WantedBy=multi-user.target
"""
_START = "#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable -q slowd\nsystemctl restart slowd\n"
_TEMPLATE = "Template: asker/word\nType: string\nDefault: blue\nDescription: Which word?\n"
_CONFIG = "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_input critical asker/word || true\ndb_go || true\n"
_ANSWERED = (
    "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get asker/word\necho $RET > /var/lib/asker-word\ndb_stop\n"
)
_READS = "#!/bin/sh\nset -e\necho 'Really go on?'\nread answer\n[ \"$answer\" = yes ]\n"
_SLOW = '#!/bin/sh\nset -e\n[ "$1" != configure ] || sleep 15\n'


def _script(name: str, text: str) -> Entry:
    return Entry(f"DEBIAN/{name}", text.encode(), 0o755)


def _slowd(version: str, delay: int) -> Package:
    unit = Entry("lib/systemd/system/slowd.service", _UNIT.format(delay=delay).encode())
    return Package("slowd", version, {"Depends": "python3"}, (unit, _script("postinst", _START)))


def _conf(name: str, version: str, *more: Entry) -> Package:
    """A package with a conffile that each version writes anew."""
    path = f"etc/{name}.conf"
    entries = (Entry(path, f"version = {version}\n".encode()), Entry("DEBIAN/conffiles", f"/{path}\n".encode()), *more)
    return Package(name, version, {"Depends": "debconf"}, entries)


OLDER = (_slowd("1", 0), _conf("asker", "1"), _conf("reader", "1"), _conf("slow", "1"), _conf("fat", "1"))
NEWER = (
    _slowd("2", 90),
    _conf(
        "asker",
        "2",
        Entry("DEBIAN/templates", _TEMPLATE.encode()),
        _script("config", _CONFIG),
        _script("postinst", _ANSWERED),
    ),
    _conf("reader", "2", _script("postinst", _READS)),
    _conf("slow", "2", _script("postinst", _SLOW)),
    _conf("fat", "2", Entry("opt/fat/data", bytes(range(256)) * (8 << 10))),
)


def serve(lab: Lab) -> None:
    """Afterwards the lab serves a flat repository of each version."""
    for number, packages in (("1", OLDER), ("2", NEWER)):
        place = lab.repositories / "local" / number
        place.mkdir(parents=True, exist_ok=True)
        for package in packages:
            shop.build(package, place / package.file)
        index = subprocess.run(["apt-ftparchive", "packages", "."], cwd=place, capture_output=True, check=True).stdout
        (place / "Packages").write_bytes(index)


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """An ordinary host with the older packages, that is offered both."""
    lab.up([HOST])
    serve(lab)
    site = Site(tmp_path, lab, {NAME: ("debian",)}, patience=600.0)
    site.configure(ours={"reconnect": 60})
    lines = "".join(f"deb [trusted=yes] http://10.99.0.1:8000/local/{number} ./\n" for number in "12")
    lab.run(NAME, ["tee", "/etc/apt/sources.list.d/local.list"], lines.encode())
    names = " ".join(f"{package.name}=1" for package in OLDER)
    bash(site, f"apt-get -qq update && apt-get -qq -y install {names} 2>&1")
    yield site
    site.close()
    lab.reset(NAME)


def bash(site: Site, script: str) -> str:
    return site.lab.run(NAME, ["bash", "--norc", "-euc", script]).stdout.decode()


def version(site: Site, package: str) -> str:
    return bash(site, f"dpkg-query -Wf '${{Version}} ${{db:Status-Status}}' {package}")


def scenario(site: Site, packages: str, services: str = "", timeout: int = 30) -> str:
    text = SCENARIO.format(packages=packages, services=services, timeout=timeout)
    (site.directory / "local.yaml").write_text(text)
    return "./local.yaml"


def test_a_service_that_takes_90_seconds_is_waited_for_where_its_gate_says_so(site: Site) -> None:
    failed = site.upgrade("run", scenario(site, "slowd", "slowd"), "--yes", status=3)
    assert "port 8099" in failed.err and "nornir-upgrade resume" in failed.err
    site.upgrade("unwind", "--yes")
    assert version(site, "slowd") == "1 installed" and bash(site, "curl -sI localhost:8099 | head -n 1")
    site.upgrade("run", scenario(site, "slowd", "slowd", timeout=150), "--yes")
    assert version(site, "slowd") == "2 installed" and bash(site, "curl -sI localhost:8099 | head -n 1")
    site.rollback("apply", "--yes")
    assert version(site, "slowd") == "1 installed" and bash(site, "curl -sI localhost:8099 | head -n 1")


def test_a_question_gets_its_default_and_the_answer_goes_with_it(site: Site) -> None:
    bash(site, "echo mine >> /etc/asker.conf")
    site.upgrade("run", scenario(site, "asker"), "--yes", "--force")
    assert bash(site, "cat /var/lib/asker-word") == "blue\n"
    assert bash(site, "cat /etc/asker.conf") == "version = 1\nmine\n", (
        "an edited conffile stays, whatever dpkg would ask"
    )
    assert "asker/word" in bash(site, "debconf-show asker")
    site.rollback("apply", "--yes")
    assert version(site, "asker") == "1 installed" and bash(site, "debconf-show asker") == ""
    assert bash(site, "cat /etc/asker.conf; ls /etc/asker.conf*") == "version = 1\nmine\n/etc/asker.conf\n"


def test_a_script_that_reads_an_answer_gets_none_and_what_it_said_is_told(site: Site) -> None:
    failed = site.upgrade("run", scenario(site, "reader"), "--yes", status=3)
    assert "reader" in failed.err and "Really go on?" in failed.err
    site.upgrade("unwind", "--yes")
    assert (
        version(site, "reader") == "1 installed" and bash(site, "dpkg --audit; cat /etc/reader.conf") == "version = 1\n"
    )
    assert "No difference" in site.rollback("diff", "last").out


def test_a_reboot_in_the_middle_is_gone_on_from(site: Site) -> None:
    run = site.start("nornir-upgrade", "run", scenario(site, "slow"), "--yes")
    site.await_true(lambda: "half-configured" in version(site, "slow"))
    site.lab.kill(NAME)
    site.lab.start(NAME)
    assert run.end(300.0).status == 3
    site.upgrade("resume", "--yes")
    assert version(site, "slow") == "2 installed"
    site.rollback("apply", "--yes")
    assert version(site, "slow") == "1 installed" and bash(site, "dpkg --audit; cat /etc/slow.conf") == "version = 1\n"


def test_a_second_apt_is_told_of_and_what_it_did_is_kept(site: Site) -> None:
    bash(site, "setsid -f apt-get -y install slow=2 > /root/second 2>&1 < /dev/null")
    site.await_true(lambda: "half-configured" in version(site, "slow"))
    refused = site.upgrade("run", scenario(site, "asker"), "--yes", status=24)
    assert "package-manager-locked" in refused.err and "apt-get (pid" in refused.err
    assert version(site, "asker") == "1 installed" and site.runs() == []
    site.await_true(lambda: version(site, "slow") == "2 installed")
    site.await_true(lambda: "apt-get" not in bash(site, "ps -A -o comm"))
    site.upgrade("run", scenario(site, "asker"), "--yes")
    site.rollback("apply", "--yes")
    assert (version(site, "asker"), version(site, "slow")) == ("1 installed", "2 installed")


def test_a_disk_that_is_full_in_the_transaction_is_called_so_and_it_goes_back(site: Site) -> None:
    bash(site, "mkdir -p /opt/fat && mount -t tmpfs -o size=1m none /opt/fat")
    failed = site.upgrade("run", scenario(site, "fat"), "--yes", status=3)
    assert "disk-full" in failed.err or "No space left" in failed.err
    site.upgrade("unwind", "--yes")
    assert version(site, "fat") == "1 installed" and bash(site, "dpkg --audit; ls /opt/fat") == ""
    bash(site, "umount /opt/fat")
    site.upgrade("run", scenario(site, "fat"), "--yes")
    assert bash(site, "stat -c %s /opt/fat/data") == f"{2 << 20}\n"


def test_a_package_with_data_and_an_edited_file_survive_the_way_back(site: Site) -> None:
    site.upgrade("run", scenario(site, "slow"), "--yes")
    bash(site, "apt-get -qq -y install redis-server 2>&1; redis-cli set precious kept; redis-cli save")
    bash(site, "echo '# mine' >> /etc/hosts; useradd -m ada; echo poem > /home/ada/poem")
    site.rollback("apply", "--yes")
    assert version(site, "slow") == "1 installed"
    assert bash(site, "redis-cli get precious; tail -n 1 /etc/hosts; cat /home/ada/poem; id -un ada") == (
        "kept\n# mine\npoem\nada\n"
    )
