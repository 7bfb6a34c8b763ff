"""--rehearse through the command lines: what is rehearsed where, and that nothing is begun where it cannot be. On fake hosts."""

import pytest

from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.finding import Finding
from nornir_upgrade.planner.reversibility import Reversibility
from nornir_upgrade.prepare import rehearse
from nornir_upgrade.prepare.rehearse import HostRehearsal, Rehearsal, host_rehearsals, without_way_back
from nornir_upgrade.steps.files import CaptureFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from tests.cli.site import Site
from tests.fake.fleet import open_fleet

NAME = "service-by-service"
PACKAGES = SetPackages((PackageWant("less", "amd64", "2", "installed"),))
SOURCE = SetRepository("/etc/apt/sources.list.d/new.list", "deb http://archive.invalid new main\n")


def test_hosts_whose_packages_change_rehearse_packages_and_repositories_in_order() -> None:
    capture = CaptureFiles(("/etc/less",), "configuration")
    first = Wave("one", (Work("a", (SOURCE, capture, PACKAGES)), Work("b", (SOURCE,))))
    second = Wave("two", (Work("a", (SetRepository("/etc/apt/sources.list.d/old.list"),)),))
    found = host_rehearsals(Plan("forward", "test", (first, second)), {"a": "there is none"})
    assert found == {
        "a": HostRehearsal(
            (SOURCE, PACKAGES, SetRepository("/etc/apt/sources.list.d/old.list")), False, "there is none"
        )
    }


def test_the_way_back_is_rehearsed_where_there_is_one_and_its_packages_are_at_hand() -> None:
    proofs = (
        Reversibility("a", "reversible", ()),
        Reversibility("b", "no way back", ()),
        Reversibility("c", "reversible from escrow", (), to_keep=(PackageFile("deb", "less", "amd64", "1"),)),
    )
    assert without_way_back(proofs).keys() == {"b"}
    assert without_way_back(proofs, keeping=False).keys() == {"b", "c"}


def test_a_host_that_cannot_rehearse_blocks_and_nothing_is_begun(havana: Site) -> None:
    before = open_fleet(havana.directory / "hosts").observable()
    for argv in (("plan", NAME), ("run", NAME, "--yes"), ("run", NAME, "--yes", "--force")):
        refused = havana.call(*argv, "--rehearse")
        assert refused.exit_code == 24, refused.output
        assert "blocking: cmp1: it cannot be rehearsed on this host" in refused.stderr
        assert "[rehearsal-impossible]" in refused.stderr and "leave --rehearse out" in refused.stderr
    assert open_fleet(havana.directory / "hosts").observable() == before
    assert havana.json("history")["runs"] == []


def test_what_was_rehearsed_is_told_and_the_run_goes_on(havana: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def rehearsed(host: str, part: HostRehearsal) -> Rehearsal:
        return Rehearsal(host, len(part.steps), part.back, part.why)

    monkeypatch.setattr(rehearse, "rehearse", lambda _, due, *__: tuple(rehearsed(*one) for one in due.items()))
    done = havana.call("run", NAME, "--yes", "--rehearse")
    assert done.exit_code == 0, done.output
    told = done.stderr.partition(" begins")[0]
    assert all(f"{host}: rehearsed: " in told for host in ("ctl1", "net1", "cmp1", "cmp2"))
    assert "packages forward and back, 0 problems" in told


def test_without_the_flag_nothing_is_rehearsed(havana: Site) -> None:
    done = havana.call("plan", NAME)
    assert done.exit_code == 0 and "rehears" not in done.output


def test_a_rehearsal_in_words() -> None:
    assert str(Rehearsal("a", 3)) == "a: rehearsed: 3 packages forward and back, 0 problems"
    assert str(Rehearsal("a", 3, back=False, why="why")) == "a: rehearsed: 3 packages, 0 problems; why"
    assert str(Rehearsal("a", finding=Finding("rehearsal-failed", "a", "blocking", "text", "do"))) == "a: text"
