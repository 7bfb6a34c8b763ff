"""Before the first touch: what a run changes is in escrow, or the run is refused, naming what cannot be had."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from nornir_upgrade.config.settings import Keep, Settings
from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.errors import Blocked, DiskFull, Unreachable
from nornir_upgrade.core.escrow import collect as module
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.escrow.host_copies import DIRECTORY
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store
from nornir_upgrade.runner import keep as keeping
from nornir_upgrade.runner.keep import keep_old_packages
from nornir_upgrade.runner.session import Session
from nornir_upgrade.steps.packages import SetPackages
from tests import builders
from tests.fake.depot import StubDepot, StubFleet, StubHost, content
from tests.fake.keeper import Keeper

NOVA, LESS = PackageFile("deb", "nova", "all", "1"), PackageFile("deb", "less", "all", "5")
PLAN = builders.plan(
    (
        "one",
        {
            "cmp1": [
                SetPackages((PackageWant("nova", "all", "2", "installed"), PackageWant("less", "all", "", "absent")))
            ]
        },
    )
)
FACTS = {
    "cmp1": builders.facts(
        "cmp1", [builders.package("nova", "1"), builders.package("less", "5"), builders.package("stay", "1")]
    )
}


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "source_of", lambda manager: StubDepot())


class NamedFleet(StubFleet):
    """As the command line knows a fleet."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.hosts)


class Bench:
    """A controller with one host."""

    def __init__(self, directory: Path, host: StubHost, keep: Keep = "controller") -> None:
        self.fleet, self.store = NamedFleet({"cmp1": host}), Store(directory / "store")
        settings = Settings(directory, directory, directory, directory, directory, keep=keep)
        journal = cast(Journal, None)
        self.session = Session(settings, cast(Any, self.fleet), journal, self.store)

    def keep(self, *consent: str) -> None:
        keep_old_packages(self.session, PLAN, FACTS, consent, Screen(Flags(config=Path("config.yaml"))))

    def kept(self) -> list[PackageFile]:
        return [one.file for one in Escrow.beside(self.store).list()]


def test_what_changes_or_goes_is_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path, StubHost("cmp1", repositories={NOVA}, installed={LESS}))
    bench.keep()
    assert bench.kept() == [LESS, NOVA]
    assert "Kept 2 package files for the way back" in capsys.readouterr().err
    asked = len(bench.fleet.asked)
    bench.keep()
    assert len(bench.fleet.asked) == asked and capsys.readouterr().err == ""


def test_what_cannot_be_had_blocks_but_for_hosts_that_are_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, StubHost("cmp1", repositories={NOVA}))
    with pytest.raises(Blocked, match="cmp1: no way back: less:all 5: ") as caught:
        bench.keep("cmp2")
    assert "--accept-no-way-back cmp1" in caught.value.hint and "nova" not in caught.value.message
    bench.keep("cmp1")
    assert bench.kept() == [NOVA]


@pytest.mark.parametrize(
    ("host", "failure"),
    [
        (StubHost("cmp1", installed={NOVA, LESS}, full=True), DiskFull),
        (StubHost("cmp1", lost=Unreachable("gone")), Unreachable),
    ],
)
def test_a_host_that_fails_ends_it(tmp_path: Path, host: StubHost, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        Bench(tmp_path, host).keep("cmp1")


def test_a_host_keeps_what_its_own_way_back_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = Keeper("cmp1", cache={NOVA}, installed={LESS})
    bench = Bench(tmp_path, host, keep="host")
    bench.keep()
    assert bench.kept() == [LESS, NOVA] and len(host.copies()) == 2 and not list(bench.store.digests())
    assert "Kept 2 package files for the way back" in capsys.readouterr().err
    bench.keep()
    assert capsys.readouterr().err == ""


def test_a_host_without_room_ends_it_or_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = Keeper("cmp1", cache={NOVA, LESS}, room=10)
    with pytest.raises(DiskFull, match="cmp1: No space left") as caught:
        Bench(tmp_path, host, keep="host").keep("cmp1")
    assert caught.value.exit_code == 3
    bench = Bench(tmp_path, host, keep="both")
    bench.keep()
    assert "cmp1 keeps no copies of its own, the controller has all: cmp1: No space left" in capsys.readouterr().err
    assert len(list(bench.store.digests())) == 2


def test_before_the_way_back_copies_are_mended_by_what_other_hosts_keep(tmp_path: Path) -> None:
    one, two = Keeper("cmp1", cache={NOVA}), Keeper("cmp2", cache={NOVA})
    bench = Bench(tmp_path, one, keep="host")
    bench.fleet.hosts = {"cmp1": one, "cmp2": two}
    files = {"cmp1": (NOVA,), "cmp2": (NOVA,)}
    keeping.fetch(bench.session, dict.fromkeys(files, "apt"), files, Screen(Flags(config=Path("config.yaml"))), "kept")
    (digest,) = one.copies()
    one.damage(digest)
    back = SetPackages((PackageWant("nova", "all", "1", "installed"),), downgrade=True)
    keeping.mend_copies(bench.session, builders.plan(("back", {"cmp1": [replace(back, downgrade=False)]})))
    assert one.sent == []  # nothing of it goes back
    keeping.mend_copies(bench.session, builders.plan(("back", {"cmp1": [back], "cmp2": [back]})))
    assert one.sent == [digest] and two.sent == [] and one.stands[f"{DIRECTORY}/{digest}"] == content(NOVA)


def test_who_keeps_nothing_is_not_asked(tmp_path: Path) -> None:
    bench = Bench(tmp_path, StubHost("cmp1", repositories={NOVA, LESS}), keep="none")
    bench.keep()
    assert bench.kept() == [] and bench.fleet.asked == []
