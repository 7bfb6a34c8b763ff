"""Writes tests/cases/before: what 0.1.0 left on disk before its modules moved. No test runs this.

Run it with the code of commit 5598c2b: `python -m tests.house.write_before`. Ids and moments differ at each call.
"""

import io
import json
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from nornir_upgrade.core import codec, journal
from nornir_upgrade.core.escrow.escrow import Escrow, Kept, PackageFile
from nornir_upgrade.core.facts import gather
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.packaging.preview import EVERYTHING
from nornir_upgrade.core.plan import Wave, Work
from nornir_upgrade.core.run import Event, Place, Run, unwind
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.databases import DumpDatabase, RestoreDatabase
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.gates import ServicesKept
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import SetServices
from nornir_upgrade.steps.state import CaptureState, RestoreState
from rollback import assess
from rollback.cli.main import door as back_door
from rollback.manifest.files import write_all
from rollback.manifest.model import exact
from rollback.snapshot import keep
from tests import builders
from tests.cli.site import Site, stand_in
from tests.crash import compact
from tests.crash.controller import Boundary, killing
from tests.fake import hosts, pictures, way_back
from tests.fake.depot import content
from tests.fake.state import File, Installed
from tests.forward import rpm_world
from tests.forward.world import World

CASES = Path(__file__).parents[1] / "cases"
BEFORE = CASES / "before"
LABEL = "before the upgrade"


# ---------------------------------------------------------------------- programs, and what they leave


def forward(site: Site, *argv: str, code: int = 0) -> None:
    sys.argv = ["nornir-upgrade", *argv]
    result = site.call(*argv)
    assert result.exit_code == code, result.output


def back(*argv: str, code: int = 0) -> None:
    sys.argv = ["rollback", *argv]
    result = CliRunner().invoke(back_door, argv, prog_name="rollback")
    assert result.exit_code == code, result.output


def killed(act: Callable[[], None], number: int) -> None:
    """A child does `act` and is killed before it appends the `number`th event."""
    child = os.fork()
    if child == 0:
        try:
            Journal.append = killing(Journal.append, Boundary(number, "before"))  # type: ignore[method-assign]
            act()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it came to its end"


def pack(name: str, directory: Path) -> None:
    """Afterwards the case `name` holds what stands in `directory`: the journal by SQLite's own way of copying, no lock."""
    found = directory / ".state" / "journal.db"
    with tarfile.open(BEFORE / f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for path in sorted(one for one in directory.rglob("*") if one.is_file()):
            relative = path.relative_to(directory)
            if relative.parts[:2] == (".state", "shelf") or path.name.startswith(("journal.db-", "journal.lock")):
                continue
            data = copied(path) if path == found else path.read_bytes()
            entry = tarfile.TarInfo(str(relative))
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))


def copied(path: Path) -> bytes:
    with tempfile.TemporaryDirectory() as room:
        beside = Path(room) / "journal.db"
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(beside)) as target:
            source.backup(target)
        return beside.read_bytes()


def kept(site: Site, name: str) -> None:
    """Afterwards the hosts as they are now stand in `name` beside `hosts`."""
    (site.directory / name).mkdir()
    for path in (site.directory / "hosts").glob("*.host"):
        (site.directory / name / path.name).write_bytes(path.read_bytes())


def new_site(directory: Path, fleet: Iterable[hosts.HostState]) -> Site:
    directory.mkdir()
    os.chdir(directory)
    site = Site(directory, fleet)
    kept(site, "start")
    return site


# ---------------------------------------------------------------------- deb: on fake hosts


def four() -> tuple[hosts.HostState, ...]:
    made = hosts.fleet()
    for one in made:
        pictures.place(one)
    return made


def saved(directory: Path) -> None:
    """A plan of service-by-service for four hosts, not yet run."""
    site = new_site(directory, four())
    forward(site, "plan", "service-by-service", "--out", "plan.json")
    pack("saved", directory)


def finished(directory: Path) -> Site:
    """That plan run to its end, between two snapshots of whole disks, and the manifests of the way back."""
    site = new_site(directory, four())
    forward(site, "plan", "service-by-service", "--out", "plan.json")
    back("snapshot", "--whole", "--label", LABEL)
    forward(site, "run", "plan.json", "--yes", "--comment", "to icehouse")
    back("snapshot", "--whole", "--label", "after the upgrade")
    back("compute", "--out", "manifests")
    pack("finished", directory)
    return site


def cut_off(directory: Path) -> None:
    """A way back whose controller was killed in its midst. On cmp1 others had installed a package and edited a file."""
    site = new_site(directory, four())
    forward(site, "run", "service-by-service", "--yes")
    host = way_back.open_fleet(site.directory / "hosts").hosts["cmp1"]
    host.state.packages["shopdb"] = Installed("1.0", conffiles={"/etc/shopdb.conf": "0" * 32})
    for path, data in (
        ("/etc/shopdb.conf", b"port=1"),
        ("/etc/motd", b"hello"),
        ("/etc/nova/nova.conf", b"[DEFAULT]\n"),
    ):
        host.state.files[path] = File("file", data=data)
    host.state.told["newer"] = "/etc/nova/nova.conf"
    host.save()
    twin = Path(shutil.copytree(directory, directory.with_name("twin")))
    os.chdir(twin)
    back("apply", "--restore-db", "--yes")
    os.chdir(directory)
    killed(lambda: back("apply", "--restore-db", "--yes"), 60)
    (twin / "hosts").rename(directory / "end")
    pack("cut-off", directory)


def two(directory: Path) -> Site:
    """The hosts h1 and h2, and the compact plan for them, with the one kind of gate that it lacks."""
    control = hosts.havana("h1", compact.CONTROL_PACKAGES, (compact.DATABASE,))
    control.databases[compact.SCRATCH] = hosts.seeded(compact.SCRATCH)
    site = new_site(directory, (control, hosts.havana("h2", compact.COMPUTE_PACKAGES)))
    fleet = way_back.open_fleet(site.directory / "hosts").hosts
    plan = compact.plan(fleet["h1"], fleet["h2"], Store(site.directory / ".state" / "store"))
    more = Wave("others", (), (Work("h1", (ServicesKept(("keystone",)),)),))
    site.write(replace(plan, waves=(*plan.waves, more)))
    return site


def returned(directory: Path) -> None:
    """A run, and the way back from it, both at their end."""
    control = hosts.havana("ctl1", ("nova-conductor", "quantum-server"), ("nova", "quantum"))
    site = new_site(directory, (control, hosts.havana("cmp1", ("nova-compute",))))
    site.write(way_back.forward(way_back.open_fleet(site.directory / "hosts")))
    forward(site, "run", "plan.json", "--yes")
    back("apply", "--restore-db", "--yes")
    pack("returned", directory)


def interrupted(directory: Path) -> None:
    """A run whose controller was killed when h2 had its new packages and the journal did not say so yet."""
    whole = two(directory.with_name("whole"))
    forward(whole, "run", "plan.json", "--yes")
    (run,) = whole.journal().runs()
    number = 1 + next(number for number, event in enumerate(run.events) if came(run, event))
    site = two(directory)
    killed(lambda: forward(site, "run", "plan.json", "--yes"), number)
    (whole.directory / "hosts").rename(directory / "end")
    pack("interrupted", directory)


def came(run: Run, event: Event) -> bool:
    """Whether the event says that h2 has its packages."""
    there = event.what == "step_done" and event.host == "h2"
    return there and isinstance(run.step_at(Place(event.wave, event.host, event.index)), SetPackages)


# ---------------------------------------------------------------------- rpm: no fake host plays one


def rpm(directory: Path) -> None:
    """A plan, a run of it in its midst with the plan that undoes it, snapshots, manifests; `before` steps made by hand."""
    directory.mkdir()
    (directory / "config.yaml").write_text("user_defined:\n  state: .state\n  keep: none\n")
    world = World({}, rpm=rpm_world.fleet())
    plan = world.plan()
    (directory / "plan.json").write_text(codec.dumps(plan, indent=2) + "\n")
    then = world.facts
    now = {name: after(host) for name, host in world.rpm.items()}
    with journal.owned(directory / ".state" / "journal.db", "nornir-upgrade run") as mine:
        sys.argv = ["nornir-upgrade", "run", "plan.json"]
        mine.author = journal.author(sys.argv)
        run = mine.open_run(
            plan, comment="to icehouse", snapshot=codec.dumps(tuple(then[name] for name in sorted(then)))
        )
        run = half(mine, run, then)
        keep(mine, tuple(now.values()), label="after the upgrade")
        keep(mine, [answered(name) for name in ("ctl1", "rctl1")], label="of two real hosts")
        (directory / "undo.json").write_text(codec.dumps(unwind(run), indent=2) + "\n")
    to = {"snapshot": "last"}
    manifests = {name: exact(then[name], now[name], builders.offering(then[name].packages), to) for name in then}
    write_all(manifests, directory / "manifests")
    pack("rpm", directory)


def after(host: rpm_world.RpmHost) -> HostFacts:
    """The host when all of icehouse is on it."""
    found = rpm_world.preview(host, EVERYTHING)
    gone = {(one.name, one.old) for one in found.changes}
    left = [one for one in host.packages if (one.name, one.version) not in gone]
    new = [builders.package(one.name, one.new, arch=one.arch) for one in found.changes if one.new]
    return replace(replace(host, packages=[*left, *new]).facts, taken_at="2026-01-02T00:00:00+00:00")


def answered(name: str) -> HostFacts:
    """The facts in the recorded answer of a real host."""
    return gather.parse((CASES / "facts" / f"{name}.txt").read_text(), name, builders.MOMENT)


def half(mine: Journal, run: Run, then: dict[str, HostFacts]) -> Run:
    """The events of all waves up to the first of compute nodes, where one host failed."""
    for number, wave in enumerate(run.plan.waves):
        mine.append(run.id, "wave_opened", wave=number, text=wave.name)
        last = any(isinstance(step, SetPackages) for work in wave.work if work.host != "rctl1" for step in work.steps)
        for work in wave.work:
            for index, step in enumerate(work.steps):
                where = {"wave": number, "host": work.host, "index": index, "text": step.describe()}
                mine.append(run.id, "step_started", before=seen(step, then[work.host]), **where)
                if last and isinstance(step, SetPackages):
                    mine.append(run.id, "step_failed", error="command-failed: dnf: exit status 1", **where)
                    break
                mine.append(run.id, "step_done", **where)
        if last:
            break
        for gate in wave.gates:
            for index, step in enumerate(gate.steps):
                mine.append(run.id, "gate_passed", wave=number, host=gate.host, index=index, text=step.describe())
        mine.append(run.id, "wave_closed", wave=number, text=wave.name)
    mine.append(run.id, "host_failed", wave=number, host="rcmp2", error="unreachable: rcmp2: no route")
    mine.append(
        run.id, "gate_failed", wave=number, host="rctl1", index=0, text="a gate", error="gate-failed: rctl1: no"
    )
    mine.append(run.id, "run_ended", text="failed")
    mine.consent(run.id, ["rcmp1"])
    return mine.run(run.id)


def seen(step: Step, then: HostFacts) -> Step | None:
    """What the step would have observed on a host that is as `then`."""
    digest = "0123456789abcdef" * 4
    file = FileState(
        "/etc/nova/nova.conf", "file", "0640", "root", "nova", digest, xattrs=(("security.selinux", "00"),)
    )
    packages = {one.name: one for one in then.packages}
    match step:
        case SetServices():
            return SetServices(tuple(replace(one, active=not one.active) for one in step.want))
        case CaptureFiles():
            return RestoreFiles(step.roots, (file,))
        case CaptureState():
            return RestoreState((file,), step.configuration, "end" if step.end else "whole", family=step.family)
        case DumpDatabase():
            return RestoreDatabase(step.database, digest)
        case SetRepository(text=None):
            return SetRepository(step.path, digest=digest, mode="0644", owner="root", group="root")
        case SetRepository():
            return SetRepository(step.path)
        case SetOption():
            return replace(step, value=None if step.value else "havana")
        case SetPackages():
            want = (wanted(packages.get(one.name), one) for one in step.want)
            return replace(step, want=tuple(want), downgrade=True)
    return None


def wanted(old: Package | None, new: PackageWant) -> PackageWant:
    """What takes `new` back."""
    if old is None:
        return PackageWant(new.name, new.arch, "", "absent")
    return PackageWant(old.name, old.arch, old.version, "installed", old.auto, old.hold)


# ---------------------------------------------------------------------- escrow


def escrow(directory: Path) -> None:
    """Package files of both families in escrow, one of them held by a host alone."""
    directory.mkdir()
    (directory / "config.yaml").write_text("user_defined:\n  state: .state\n  keep: both\n")
    made = Escrow.beside(Store(directory / ".state" / "store"))
    rows: Sequence[tuple[PackageFile, str, str, str]] = (
        (PackageFile("deb", "nova-common", "all", "1:2013.2-0ubuntu1~cloud0"), "cmp1", "repository", "index"),
        (PackageFile("deb", "quantum-common", "all", "1:2013.2-0ubuntu1~cloud0"), "net1", "rebuilt", "name"),
        (PackageFile("rpm", "openstack-nova-common", "noarch", "2013.2-2.el7"), "rcmp1", "cache", "signature"),
    )
    for file, host, source, checked in rows:
        digest = made.store.put(content(file))
        made.holders.add(host, {digest})
        made.keep(Kept(file, digest, len(content(file)), host, source, checked, builders.MOMENT))  # type: ignore[arg-type]
    made.store.remove(digest)
    pack("escrow", directory)


def main() -> None:
    os.environ["SUDO_USER"] = "admin"
    journal.socket.gethostname = lambda: "deploy"  # type: ignore[attr-defined]
    stand_in()
    assess.stock = way_back.stock
    BEFORE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        for write in (saved, finished, cut_off, returned, interrupted, rpm, escrow):
            write(Path(room) / write.__name__)
            print(write.__name__, json.dumps([(one.name, one.stat().st_size) for one in BEFORE.glob("*")]))
        os.chdir("/")


if __name__ == "__main__":
    main()
