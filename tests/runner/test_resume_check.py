"""Before a run goes on: the hosts ahead answer, and what it kept for its way back is whole, or somebody consents by name."""

from pathlib import Path
from typing import Any, cast

import pytest

from nornir_upgrade.config.settings import Settings
from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.errors import Blocked, RunStopped, Unreachable
from nornir_upgrade.core.escrow import collect as module
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.runner.resume_check import ahead, refuse_unready
from nornir_upgrade.runner.session import Session, keep_snapshot
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.packages import SetPackages
from tests import builders
from tests.fake.depot import StubDepot, StubFleet, StubHost

NOVA = PackageFile("deb", "nova", "all", "1")
CHANGE = SetPackages((PackageWant("nova", "all", "2", "installed"),))
PLAN = builders.plan(("one", {"cmp1": [CaptureFiles(("/etc/nova",), "nova"), CHANGE]}), ("two", {"cmp2": [CHANGE]}))


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "source_of", lambda manager: StubDepot())


class Bench:
    """A run of PLAN that was stopped after the capture on cmp1, with all that it kept."""

    def __init__(self, directory: Path) -> None:
        self.hosts = {name: StubHost(name, repositories={NOVA}) for name in ("cmp1", "cmp2")}
        self.journal, self.store = Journal(directory / "journal.db"), Store(directory / "store")
        settings = Settings(directory, directory, directory, directory, directory)
        self.session = Session(settings, cast(Any, StubFleet(self.hosts)), self.journal, self.store)
        facts = {name: builders.facts(name, [builders.package("nova", "1")]) for name in self.hosts}
        self.id = self.journal.open_run(PLAN).id
        keep_snapshot(self.journal, facts, self.run)
        self.captured = self.store.put(b"[DEFAULT]\n")
        before = RestoreFiles(("/etc/nova",), (FileState("/etc/nova", "file", digest=self.captured),))
        self.journal.append(self.id, "step_started", wave=0, host="cmp1", index=0, before=before)
        self.journal.append(self.id, "step_done", wave=0, host="cmp1", index=0)
        self.go_on()

    @property
    def run(self) -> Run:
        return self.journal.run(self.id)

    @property
    def object(self) -> Path:
        """The bytes that the escrow holds of the package."""
        kept = Escrow.beside(self.store).require(NOVA)
        return self.store.root / kept.digest[:2] / kept.digest

    def go_on(self, *consent: str, max_fail: int = 1) -> None:
        refuse_unready(self.session, self.run, consent, max_fail, Screen(Flags(config=Path("config.yaml"))))


def flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def test_an_old_package_that_was_damaged_is_kept_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    flip(bench.object)
    bench.go_on()
    assert Escrow.beside(bench.store).has_whole(NOVA)


@pytest.mark.parametrize("hurt", [flip, Path.unlink])
def test_one_that_nobody_has_any_more_blocks_but_for_hosts_that_are_named(tmp_path: Path, hurt: Any) -> None:
    bench = Bench(tmp_path)
    hurt(bench.object)
    for host in bench.hosts.values():
        host.repositories.clear()
    with pytest.raises(Blocked, match="cmp2: no way back: nova:all 1: ") as caught:
        bench.go_on("cmp1")
    assert "--accept-no-way-back cmp2" in caught.value.hint and "cmp1" not in caught.value.message
    bench.go_on("cmp1", "cmp2")


def test_what_was_agreed_to_when_the_run_began_need_not_be_said_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.journal.consent(bench.id, ["cmp1", "cmp2"])
    bench.object.unlink()
    for host in bench.hosts.values():
        host.repositories.clear()
    bench.go_on()


def test_a_capture_that_was_damaged_blocks(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    flip(bench.store.root / bench.captured[:2] / bench.captured)
    with pytest.raises(Blocked, match=r"cmp1: no way back: configuration /etc/nova: object .* is damaged") as caught:
        bench.go_on("cmp2")
    assert "--accept-no-way-back cmp1" in caught.value.hint
    bench.go_on("cmp1")


def test_hosts_ahead_that_do_not_answer_are_told_before_anything_is_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert ahead(bench.run) == ("cmp1", "cmp2")
    bench.hosts["cmp2"].lost = Unreachable("cmp2: no route")
    with pytest.raises(RunStopped, match="nothing more was changed: cmp2: no route") as caught:
        bench.go_on()
    assert "--max-fail 2" in caught.value.hint
    flip(bench.object)
    bench.go_on(max_fail=2)
    assert Escrow.beside(bench.store).has_whole(NOVA), "the others are seen to all the same"


def test_a_host_that_has_nothing_ahead_need_not_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.journal.append(bench.id, "step_done", wave=0, host="cmp1", index=1)
    bench.hosts["cmp1"].lost = Unreachable("cmp1: no route")
    assert ahead(bench.run) == ("cmp2",)
    bench.go_on()


def test_a_run_that_was_cut_off_before_its_snapshot_has_lost_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.id = bench.journal.open_run(PLAN).id
    bench.object.unlink()
    bench.go_on()
    assert not Escrow.beside(bench.store).has_whole(NOVA)


def test_indexes_that_broke_on_a_full_disk_are_fetched_again_on_the_hosts_ahead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path)
    bench.journal.append(bench.id, "step_done", wave=0, host="cmp1", index=1)
    for host in bench.hosts.values():
        host.damaged.append("/var/lib/apt/lists/x_Packages")
    bench.go_on()
    assert [len(host.damaged) for host in bench.hosts.values()] == [1, 0]
    assert "cmp2: 1 damaged indexes were fetched again: /var/lib/apt/lists/x_Packages" in capsys.readouterr().err
