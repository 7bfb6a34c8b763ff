"""A database is restored only when every host that shares it stands still."""

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.services import ServiceWant, SetServices
from tests.lab.site import Site

pytestmark = pytest.mark.lab

STUBBORN = "/run/systemd/system/nova-compute.service.d/stubborn.conf"
DUMP = DumpDatabase("keystone")
MIGRATE = RunCommand(("mariadb", "-e", "CREATE TABLE keystone.migrated (x INT)"), covered=DUMP.capture)


def services(active: bool) -> tuple[Work, ...]:
    names = {"ctl1": "keystone", "cmp1": "nova-compute"}
    return tuple(Work(host, (SetServices((ServiceWant(name, active=active),)),)) for host, name in names.items())


def on_ctl1(name: str, step: Step) -> Wave:
    return Wave(name, (Work("ctl1", (step,)),), together=(("cmp1", "ctl1"),) if step is DUMP else ())


PLAN = Plan(
    "forward",
    "a migration",
    (
        Wave("stop", services(False)),
        on_ctl1("dump", DUMP),
        on_ctl1("schema", MIGRATE),
        Wave("start", services(True)),
        on_ctl1("fail", RunCommand(("false",), ("true",))),
    ),
)


def active(site: Site) -> list[str]:
    return [
        site.text(host, "systemctl", "is-active", unit).strip()
        for host, unit in (("ctl1", "keystone"), ("cmp1", "nova-compute"))
    ]


@pytest.mark.parametrize("back", [("nornir-upgrade", "unwind"), ("rollback", "apply", "--restore-db")])
def test_a_compute_node_that_cannot_be_stopped_holds_the_restore_back(small: Site, back: tuple[str, ...]) -> None:
    site = Site(small.directory, small.lab, {"ctl1": ("db",), "cmp1": ()})
    site.configure()
    (site.directory / "plan.json").write_text(codec.dumps(PLAN))
    site.upgrade("run", "plan.json", "--yes", status=3)
    stubborn = 'mkdir -p "${1%/*}" && printf "[Unit]\\nRefuseManualStop=yes\\n" >"$1" && systemctl daemon-reload'
    site.lab.run("cmp1", ["sh", "-c", stubborn, "sh", STUBBORN])
    done = site.start(*back, "--yes").end()
    assert done.status == 5, done.said
    assert "ctl1: not continued: it shares data with cmp1, which failed" in done.out
    assert site.sql("SHOW TABLES FROM keystone LIKE 'migrated'") == ["migrated"]
    assert active(site) == ["inactive", "active"]
    site.lab.run("cmp1", ["sh", "-c", f"rm {STUBBORN} && systemctl daemon-reload"])
    site.upgrade("resume", "--yes")
    assert site.sql("SHOW TABLES FROM keystone LIKE 'migrated'") == []
    assert active(site) == ["active", "active"]
