"""An undoing purges no package that has data by now."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from nornir_upgrade.core.errors import Unreachable
from nornir_upgrade.core.facts.belongings import Belongings
from nornir_upgrade.core.packaging.model import PackageName, PackageWant
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.runner.spare_data import SparedData, spare_data
from nornir_upgrade.steps.packages import SetPackages


class Asked:
    """A fleet whose hosts are asked nothing but what is a package's; `lost` does not answer."""

    def each(self, names: Sequence[str], act: Callable[[Any], Any]) -> Mapping[str, Any]:
        host = type("Named", (), {})
        found = {}
        for name in names:
            one = host()
            one.name = name
            found[name] = Unreachable(f"{name} is silent") if name == "lost" else act(one)
        return found


def undoing(family: str = "deb", *hosts: str) -> Plan:
    want = (
        PackageWant("app", "amd64", "1", "installed"),
        *(PackageWant(n, "amd64", "", "absent") for n in ("db", "lib")),
    )
    step = SetPackages(want, downgrade=True, family=family)  # type: ignore[arg-type]
    return Plan("unwind", "run", (Wave("undo", tuple(Work(host, (step,)) for host in hosts or ("web1",))),))


@pytest.fixture
def rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """`db` has data on web1."""
    own = {PackageName("db", "amd64"): Belongings(data=("/var/lib/db",)), PackageName("lib", "amd64"): Belongings()}
    monkeypatch.setattr("nornir_upgrade.runner.spare_data.belongings", lambda host, family, keys: own)


def goals(found: SparedData, host: str = "web1") -> dict[str, str]:
    return {
        one.name: one.goal
        for _, name, step in found.plan.steps()
        if name == host and isinstance(step, SetPackages)
        for one in step.want
    }


@pytest.mark.usefixtures("rich")
def test_what_has_data_is_removed_and_not_purged() -> None:
    found = spare_data(Asked(), undoing())
    assert goals(found) == {"app": "installed", "db": "config-files", "lib": "absent"}
    assert found.lines == ("web1: kept with their data: db (/var/lib/db)",) and found.purged == ("web1: purged: lib",)


@pytest.mark.usefixtures("rich")
def test_rpm_knows_no_such_difference_so_that_it_stays() -> None:
    found = spare_data(Asked(), undoing("rpm"))
    assert goals(found) == {"app": "installed", "lib": "absent"} and not found.purged


@pytest.mark.usefixtures("rich")
def test_of_a_host_that_is_silent_every_package_counts_as_one_with_data() -> None:
    found = spare_data(Asked(), undoing("deb", "web1", "lost"))
    assert goals(found, "lost") == {"app": "installed", "db": "config-files", "lib": "config-files"}
    assert any("lost" in line and "did not answer" in line for line in found.lines)


def test_where_nothing_is_purged_no_host_is_asked() -> None:
    plan = Plan("unwind", "run", ())
    assert spare_data(None, plan) == SparedData(plan)  # type: ignore[arg-type]
