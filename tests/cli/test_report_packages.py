"""The report tells of every package with its versions, of who opened the run, and how long the run itself took."""

from pathlib import Path

import pytest

from nornir_upgrade.core import journal
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import Event, Run
from nornir_upgrade.report.html import render
from nornir_upgrade.report.packages import PackageRow, count_changes, packages_of
from nornir_upgrade.report.prior_state import before_in_text
from nornir_upgrade.report.summary import recap_of
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.services import ServiceWant, SetServices

NAMES = tuple(f"package-{number}" for number in range(40))


def wants(version: str, *absent: str) -> tuple[PackageWant, ...]:
    return tuple(
        PackageWant(n, "all", "" if n in absent else version, "absent" if n in absent else "installed") for n in NAMES
    )


STEP, BEFORE = SetPackages(wants("2.0")), SetPackages(wants("1.0", "package-7"), downgrade=True)
STOP = SetServices((ServiceWant("shop", active=False, enabled=False),))
PLAN = Plan("forward", "shop", (Wave("all", tuple(Work(h, (STOP, STEP)) for h in ("web1", "web2", "db1"))),))


def event(what: str, at: int, host: str = "", index: int = -1, **more: object) -> Event:
    return Event(at, f"2026-01-01T00:00:{at:02d}.000+00:00", "r", what, 0 if host else -1, host, index, **more)  # type: ignore[arg-type]


def run(*more: Event) -> Run:
    running = SetServices((ServiceWant("shop", active=True, enabled=True),))
    touched = [
        one
        for host in ("web1", "web2")
        for one in (
            event("step_started", 1, host, 0, before=running),
            event("step_started", 2, host, 1, before=BEFORE),
            event("step_done", 3, host, 1),
        )
    ]
    return Run("r", "", PLAN, (event("run_opened", 0), event("run_by", 0, text="eve on ops1: x"), *touched, *more))


def test_every_package_is_in_the_page_with_its_versions_and_hosts_share_a_list() -> None:
    (group,) = packages_of(run())
    assert group.hosts == ("web1", "web2") and group.done and len(group.rows) == 40
    assert PackageRow("package-7", "all", "not installed", "2.0", "installed") in group.rows
    assert PackageRow("package-8", "all", "1.0", "2.0", "changed") in group.rows
    assert count_changes([group]) == {"changed": 78, "installed": 2}
    page = render(run(), Path("config.yaml"))
    assert all(f"<td>{name}<span" in page for name in NAMES)
    assert "web1, web2<span" in page and "78 changed" in page


def test_what_was_before_is_said_as_a_state_and_not_as_an_order() -> None:
    page = render(run(), Path("config.yaml"))
    assert "shop running and enabled" in page and "39 packages in their old versions, 1 not installed" in page
    dropped = DownloadPackages(STEP.want, (), gone=("a.deb", "b.deb"))
    assert before_in_text(dropped) == "2 package files not in the cache"


def test_who_opened_it_is_on_the_page_and_the_run_lasts_until_its_own_end() -> None:
    begun = Event(1, "2026-01-01T00:00:01.000+00:00", "r", "wave_opened", 0)
    ended = run(begun, event("run_ended", 10, text="succeeded"), event("run_undone", 50, text="other"))
    page = render(ended, Path("config.yaml"))
    assert "eve on ops1: x" in page and "<dd>10 s</dd>" in page
    assert recap_of(ended, Path("config.yaml")).author == "eve on ops1: x"
    assert '<span class="state undone">undone</span><span class="soft">2 of' in page and ">begun<" not in page


def test_what_was_removed_is_told_from_what_was_purged() -> None:
    back = Plan("rollback", "s", (Wave("all", (Work("web1", (SetPackages((*gone(),), downgrade=True),)),)),))
    now = SetPackages(tuple(PackageWant(one.name, "all", "2.0", "installed") for one in gone()))
    (group,) = packages_of(Run("r", "", back, (event("step_started", 1, "web1", 0, before=now),)))
    assert [(row.name, row.new, row.what) for row in group.rows] == [
        ("data", "its configuration", "removed"),
        ("plain", "not installed", "purged"),
    ]
    assert not group.done


def gone() -> tuple[PackageWant, ...]:
    return PackageWant("data", "all", "", "config-files"), PackageWant("plain", "all", "", "absent")


@pytest.mark.parametrize("sudo", ["", "eve"])
def test_the_author_is_who_called_sudo_and_no_password_is_in_it(monkeypatch: pytest.MonkeyPatch, sudo: str) -> None:
    monkeypatch.setenv("SUDO_USER", sudo)
    said = journal.author(["/usr/bin/nornir-upgrade", "run", "shop", "--set", "db_password=hunter2"])
    assert said.startswith("eve (as " if sudo else journal._user()) and "nornir-upgrade run shop" in said
    assert "hunter2" not in said and "/usr/bin" not in said
