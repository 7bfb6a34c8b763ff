"""The provisioned fleet: real services of Havana over a real database, and packages that take them to Icehouse."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nornir_upgrade.lab import provision, seeds
from nornir_upgrade.lab.deb.fleet import FLEET, INSTALLED
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.releases import HAVANA, ICEHOUSE, Package, Release

pytestmark = pytest.mark.lab

APT = (
    *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0"),
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
)


@pytest.fixture
def fleet(lab: Lab) -> Iterator[Lab]:
    """The fleet as it was provisioned, whatever the test before did to it."""
    provision.up(lab)
    yield lab
    lab.reset(*(host.name for host in FLEET))


def text(lab: Lab, host: str, *argv: str) -> str:
    return lab.run(host, argv).stdout.decode()


def ask(lab: Lab, host: str, port: int) -> tuple[int, dict[str, Any]]:
    """HTTP status (0: nobody answers) and body."""
    argv = ("curl", "--silent", "--max-time", "10", "--write-out", "\n%{http_code}", f"http://localhost:{port}/")
    body, _, status = lab.run(host, argv, check=False).stdout.decode().rpartition("\n")
    return int(status), json.loads(body) if body else {}


def sql(lab: Lab, statement: str) -> list[str]:
    return lab.run("ctl1", ["mariadb", "--skip-column-names"], statement.encode()).stdout.decode().splitlines()


def upgrade(lab: Lab, host: str, *names: str) -> None:
    """Offers Icehouse to the host, and takes these packages to it; all that are offered, where none is named."""
    line = provision.source_line(ICEHOUSE)
    lab.run(host, ["tee", "/etc/apt/sources.list.d/cloud-icehouse.list"], f"{line}\n".encode())
    lab.run(host, [*APT, "update"])
    lab.run(host, [*APT, "install", *names] if names else [*APT, "dist-upgrade"])


def main_process(lab: Lab, unit: str) -> dict[str, str]:
    shown = text(lab, "ctl1", "systemctl", "show", "-p", "ExecMainStatus,ActiveState,NRestarts", unit)
    return dict(line.split("=", 1) for line in shown.splitlines())


def services(release: Release, names: tuple[str, ...]) -> Iterator[Package]:
    return (release.package(name) for name in names if release.package(name).unit)


def test_every_service_answers_with_its_version(fleet: Lab) -> None:
    asked = 0
    for host, names in INSTALLED.items():
        for package in services(HAVANA, names):
            assert package.unit is not None and package.owner is not None
            status, body = ask(fleet, host, package.unit.port)
            assert status == 200, body
            assert (body["service"], body["host"]) == (package.name, host)
            assert (body["release"], body["version"]) == ("havana", package.version)
            assert body["schema"] == package.owner.schema
            assert body["rows"] == {package.owner.table: seeds.count(package.owner.database, package.owner.table)}
            asked += 1
        assert text(fleet, host, "systemctl", "is-system-running") == "running\n"
        assert text(fleet, host, "dpkg", "--audit") == ""
    assert asked == 12
    assert text(fleet, "cmp2", "apt-mark", "showhold") == "less\n"
    assert text(fleet, "cmp1", "apt-mark", "showauto", "python-nova", "nova-compute") == "python-nova\n"


def test_a_second_up_changes_nothing(fleet: Lab) -> None:
    before = text(fleet, "ctl1", "systemctl", "show", "-p", "MainPID", "keystone")
    provision.up(fleet)
    assert text(fleet, "ctl1", "systemctl", "show", "-p", "MainPID", "keystone") == before


def test_the_password_is_in_no_file_that_others_can_read(fleet: Lab) -> None:
    connection = next(
        line for line in text(fleet, "ctl1", "cat", "/etc/nova/nova.conf").splitlines() if line.startswith("connection")
    )
    password = connection.partition("@")[0].rpartition(":")[2]
    assert len(password) > 16
    script = (
        "umask 077; cat > /root/pattern;"
        " find / -xdev -type f -perm -o=r -print0 | xargs -0 grep -lF -f /root/pattern -- || true"
    )
    for host in FLEET:
        assert fleet.run(host.name, ["sh", "-c", script], password.encode()).stdout == b""


def test_the_old_daemon_refuses_the_new_schema(fleet: Lab) -> None:
    sql(fleet, "UPDATE keystone.migrate_version SET version = 44")
    assert ask(fleet, "ctl1", 5000)[0] == 503
    assert fleet.run("ctl1", ["systemctl", "restart", "keystone"], check=False).returncode != 0
    assert main_process(fleet, "keystone") == {"ExecMainStatus": "78", "ActiveState": "failed", "NRestarts": "0"}
    assert "keystone: the schema has version 44, newer than 34" in text(fleet, "ctl1", "journalctl", "-u", "keystone")
    assert fleet.run("ctl1", ["keystone-manage", "db_sync"], check=False).returncode == 1


def test_the_new_daemon_refuses_the_old_schema(fleet: Lab) -> None:
    upgrade(fleet, "ctl1", "keystone")
    assert main_process(fleet, "keystone") == {"ExecMainStatus": "78", "ActiveState": "failed", "NRestarts": "0"}
    assert "keystone: the schema has version 34, older than 44" in text(fleet, "ctl1", "journalctl", "-u", "keystone")
    fleet.run("ctl1", ["keystone-manage", "db_sync"])
    fleet.run("ctl1", ["systemctl", "start", "keystone"])
    status, body = ask(fleet, "ctl1", 5000)
    assert (status, body["release"], body["schema"]) == (200, "icehouse", 44)


def test_migrations_change_columns_and_rows_and_twice_is_once(fleet: Lab) -> None:
    def dump() -> str:
        return text(fleet, "ctl1", "mariadb-dump", "--skip-dump-date", "--databases", *databases)

    databases = [project.database for project in ICEHOUSE.projects]
    havana = dump()
    for project in HAVANA.projects:
        fleet.run("ctl1", [project.manage, *project.sync])
    assert dump() == havana
    upgrade(fleet, "ctl1")
    for project in ICEHOUSE.projects:
        assert text(fleet, "ctl1", project.manage, *project.sync) == f"{project.schema}\n"
    icehouse = dump()
    for project in ICEHOUSE.projects:
        fleet.run("ctl1", [project.manage, *project.sync])
    assert dump() == icehouse
    assert sql(fleet, "SELECT email FROM keystone.users WHERE name = 'ada'") == ["ada@example.org"]
    assert sql(fleet, "SELECT locked_by, COUNT(*) FROM nova.instances GROUP BY 1 ORDER BY 1") == [
        "NULL\t30",
        "owner\t6",
    ]
    assert sql(fleet, "SELECT admin_state, COUNT(*) FROM quantum.networks GROUP BY 1") == ["DOWN\t1", "UP\t11"]
    assert sql(fleet, "SELECT COUNT(*) FROM glance.image_locations") == ["12"]
    assert sql(fleet, "SELECT COUNT(*) FROM cinder.volume_attachment") == ["16"]
    gone = "('extra', 'location', 'locked', 'admin_state_up')"
    columns = f"SELECT column_name FROM information_schema.columns WHERE column_name IN {gone}"
    assert sql(fleet, f"{columns} AND table_schema IN {tuple(databases)}") == []


def test_every_migration_may_run_again_after_a_crash_between_its_end_and_the_note_of_it(fleet: Lab) -> None:
    upgrade(fleet, "ctl1")
    for old, new in zip(HAVANA.projects, ICEHOUSE.projects, strict=True):
        name = new.database
        before = text(fleet, "ctl1", "mariadb-dump", name)
        fleet.run("ctl1", [new.manage, *new.sync])
        wanted = text(fleet, "ctl1", "mariadb-dump", "--skip-dump-date", name)
        sql(fleet, f"DROP DATABASE {name}; CREATE DATABASE {name}; USE {name};\n{before}")
        directory = f"/usr/lib/python3/dist-packages/{new.name}/schema"
        for file in text(fleet, "ctl1", "ls", directory).split():
            if int(file[:3]) > old.schema:
                migration = text(fleet, "ctl1", "cat", f"{directory}/{file}")
                sql(fleet, f"USE {name};\n{migration}\n{migration}")
        sql(fleet, f"UPDATE {name}.migrate_version SET version = {new.schema}")
        assert text(fleet, "ctl1", "mariadb-dump", "--skip-dump-date", name) == wanted


def test_old_compute_nodes_need_the_cap_on_new_conductors(fleet: Lab) -> None:
    upgrade(fleet, "ctl1", "nova-api", "nova-conductor", "nova-scheduler")
    fleet.run("ctl1", ["nova-manage", "db", "sync"])
    fleet.run("ctl1", ["systemctl", "start", "nova-conductor"])
    status, body = ask(fleet, "cmp1", 18003)
    assert (status, body["fault"]) == (503, "nova-conductor: ctl1 speaks icehouse")
    cap = b"\n[upgrade_levels]\ncompute = havana\n"
    fleet.run("ctl1", ["tee", "-a", "/etc/nova/nova.conf"], cap)
    fleet.run("ctl1", ["systemctl", "restart", "nova-conductor"])
    assert ask(fleet, "cmp1", 18003)[0] == 200
    upgrade(fleet, "cmp1", "nova-compute")
    for host, release in (("cmp1", "icehouse"), ("cmp2", "havana")):
        status, body = ask(fleet, host, 18003)
        assert (status, body["release"]) == (200, release)
    fleet.run("cmp2", ["systemctl", "restart", "nova-compute"])
    assert ask(fleet, "cmp2", 18003)[0] == 200


def test_neutron_takes_quantums_place_and_a_purge_leaves_nothing(fleet: Lab) -> None:
    fleet.run("ctl1", ["systemctl", "stop", "quantum-server"])
    edited = text(fleet, "net1", "cat", "/etc/quantum/quantum.conf")
    upgrade(fleet, "net1")
    upgrade(fleet, "ctl1", "neutron-server")
    fleet.run("ctl1", ["neutron-db-manage", "upgrade", "head"])
    fleet.run("net1", ["systemctl", "restart", "neutron-dhcp-agent", "neutron-l3-agent"])
    assert ask(fleet, "net1", 18004)[1]["service"] == "neutron-dhcp-agent"
    assert text(fleet, "net1", "cat", "/etc/neutron/neutron.conf") == edited
    assert text(fleet, "net1", "find", "/etc/systemd", "/lib/systemd", "-name", "quantum-*") == ""
    assert text(fleet, "net1", "systemctl", "list-units", "--all", "--no-legend", "quantum-*") == ""
    names = [p.name for p in ICEHOUSE.packages if "neutron" in p.name and p.name != "neutron-server"]
    fleet.run("net1", [*APT, "purge", *names])
    assert "neutron" not in text(fleet, "net1", "dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n")
    leftover = ("find", "/etc", "/usr", "/lib", "/var/lib/systemd", "/run/systemd", "-name", "*neutron*")
    assert text(fleet, "net1", *leftover) == ""


def test_a_fault_can_be_asked_for(fleet: Lab) -> None:
    fleet.run("cmp1", ["mkdir", "/run/lab-fault"])
    fleet.run("cmp1", ["tee", "/run/lab-fault/slow-python-nova"], b"1")
    fleet.run("cmp1", ["touch", "/run/lab-fault/fail-nova-compute"])
    line = provision.source_line(ICEHOUSE)
    fleet.run("cmp1", ["tee", "/etc/apt/sources.list.d/cloud-icehouse.list"], f"{line}\n".encode())
    fleet.run("cmp1", [*APT, "update"])
    done = fleet.run("cmp1", [*APT, "install", "nova-compute"], check=False)
    assert done.returncode == 100
    assert b"python-nova: slow" in done.stdout
    assert text(fleet, "cmp1", "dpkg-query", "-W", "-f", "${db:Status-Status}", "nova-compute") == "half-configured"
    fleet.run("cmp1", ["rm", "/run/lab-fault/fail-nova-compute"])
    fleet.run("cmp1", ["dpkg", "--configure", "--pending"])
    assert text(fleet, "cmp1", "dpkg", "--audit") == ""


def test_a_daemon_waits_for_a_database_that_is_not_up_yet(fleet: Lab) -> None:
    database = ("mariadb.socket", "mariadb.service")
    fleet.run("ctl1", ["systemctl", "stop", "keystone", *database])
    fleet.run("ctl1", ["systemctl", "start", "--no-block", "keystone"])
    fleet.run("ctl1", ["sleep", "2"])
    assert main_process(fleet, "keystone")["ActiveState"] == "activating"
    assert ask(fleet, "ctl1", 9292)[0] == 503
    fleet.run("ctl1", ["systemctl", "start", "mariadb"])
    fleet.run("ctl1", ["systemctl", "start", "keystone"])
    assert ask(fleet, "ctl1", 5000)[0] == ask(fleet, "ctl1", 9292)[0] == 200
    assert main_process(fleet, "keystone")["NRestarts"] == "0"
