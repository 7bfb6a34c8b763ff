"""What maintainer scripts change beside packages, on the way back: all that the run made, and nothing that others did since."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from nornir_upgrade.core.entries import Entry, value_of
from nornir_upgrade.core.host import FileState, Host
from nornir_upgrade.core.registries import areas_of
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.state import CaptureState, RestoreState
from rollback.others import Others, others
from rollback.snapshot import keep
from tests.fake import files
from tests.fake.host import FakeHost
from tests.fake.state import File, HostState

from . import factory, fakes
from .conftest import Site

SCRIPTED, OWN, PASSWD, ANSWERS = "/etc/scripted", "/etc/own", "/etc/passwd", "/var/cache/debconf/config.dat"
MADE, TRUSTED = "/etc/made-on-the-way-back", "/etc/trusted.pem"
ROOT, MAIL, ADMIN = (
    f"{name}:x:{number}:{number}::/:/bin/sh\n".encode() for name, number in (("root", 0), ("mail", 8), ("ada", 9))
)


def script(state: HostState) -> tuple[Step, ...]:
    """An upgrade whose scripts make a file: what undoes them does not know of it."""
    found: list[Step] = []
    for step in UPGRADE(state):
        found.append(step)
        if isinstance(step, SetPackages):
            found.append(RunCommand(("touch", "--", SCRIPTED), undo=("true",)))
    return tuple(found)


UPGRADE = fakes._upgrade


@pytest.fixture
def scripted(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A fleet that went forward, with such scripts."""
    monkeypatch.setattr(fakes, "_upgrade", script)
    for host in site.fleet.hosts.values():
        files.put(host.state, PASSWD, File("file", data=ROOT))
        host.save()
    site.start = site.fleet.observable()
    site.go_forward()
    assert SCRIPTED in site.fleet.hosts["cmp1"].state.files
    return site


def edit(site: Site, path: str, data: bytes) -> None:
    host = site.fleet.hosts["cmp1"]
    host.write(path, data)


def data(site: Site, path: str) -> bytes | None:
    file = site.fleet.hosts["cmp1"].state.files.get(path)
    return file.data if file else None


def told(site: Site, *argv: str) -> Sequence[str]:
    result = site.call("apply", "--restore-db", "--yes", *argv)
    return [line for line in result.stderr.splitlines() if line.startswith("Caution: cmp1")]


def test_what_a_script_made_goes_though_no_configuration_names_it(scripted: Site) -> None:
    assert {one["name"] for one in scripted.json("diff", "last")["differences"]} >= {SCRIPTED}
    scripted.call("apply", "--restore-db", "--yes")
    assert scripted.present == scripted.start
    assert scripted.json("diff", "last")["differences"] == []


def test_what_others_changed_since_stays_and_is_told(scripted: Site) -> None:
    edit(scripted, OWN, b"mine\n")
    edit(scripted, PASSWD, ROOT + ADMIN)
    cautions = told(scripted)
    assert any("by others, stays" in line and OWN in line for line in cautions)
    assert any("others added" in line and PASSWD in line for line in cautions)
    assert data(scripted, OWN) == b"mine\n" and data(scripted, PASSWD) == ROOT + ADMIN
    assert data(scripted, SCRIPTED) is None


def test_what_others_changed_after_the_run_had_goes_back_and_is_kept_and_told(scripted: Site) -> None:
    edit(scripted, SCRIPTED, b"improved\n")
    (caution,) = [line for line in told(scripted) if SCRIPTED in line]
    assert "goes back" in caution and "kept in the store" in caution and "state of cmp1 before the way back" in caution
    assert data(scripted, SCRIPTED) is None
    assert scripted.store.get(sha256(b"improved\n").hexdigest()) == b"improved\n"
    run = scripted.journal.run("last")
    assert any(name == "state of cmp1 before the way back" for name in run.captures)


def test_a_run_without_an_end_goes_back_whole_and_that_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes, "_upgrade", script)
    plan = fakes.forward(site.fleet)
    run = site.journal.open_run(type(plan)(plan.direction, plan.origin, plan.waves[:-1]))
    keep(site.journal, tuple(site.facts().values()), run=run.id)
    assert site.execute(run).succeeded
    edit(site, OWN, b"mine\n")
    assert any("did not come to its end" in line for line in told(site))
    assert site.present == site.start
    assert site.store.get(sha256(b"mine\n").hexdigest()) == b"mine\n"


def test_no_difference_is_left_out_of_the_document(scripted: Site) -> None:
    document = scripted.json("diff", "last")
    assert document["compared"]["cmp1"]["etc"] > 3 and "databases" not in document["compared"]["cmp1"]
    assert document["explained"] == []


def test_what_others_changed_after_a_run_was_undone_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes, "_upgrade", script)
    site.go_forward()
    run = site.journal.run("last")
    back = site.journal.open_run(unwind(run), parent=run.id)
    assert site.execute(back).succeeded
    site.journal.append(run.id, "run_undone", text=back.id)
    assert site.present == site.start
    edit(site, OWN, b"mine\n")
    assert any("by others, stays" in line and OWN in line for line in told(site, "--run", run.id))
    assert data(site, OWN) == b"mine\n"


def test_a_file_with_an_override_of_its_owner_is_not_taken_for_changed() -> None:
    state = RestoreState((FileState(OWN, "file", "0640", "0", "4", "a" * 64),))
    there = Entry("etc", OWN, value_of(state.entries[0]))
    override = Entry("statoverrides", OWN, "root adm 640")
    now = replace(factory.facts("cmp1"), areas=areas_of("deb"), entries=(there, override))
    assert others(state, frozenset(), state.entries, now) == Others()
    edited = replace(now, entries=(replace(there, value="file 0640 0:4 b"), override))
    assert others(state, frozenset(), state.entries, edited).stays == (OWN,)


def answer(name: str, value: str) -> bytes:
    return f"Name: {name}\nTemplate: {name}\nValue: {value}\n\n".encode()


@pytest.fixture
def answered(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A fleet that went forward, with scripts that answer a question anew in each direction, and ask one more on the way back."""
    change = SetPackages.apply

    def changed(self: SetPackages, host: Host, store: Store) -> str:
        told = change(self, host, store)
        host.write(ANSWERS, host.read(ANSWERS).replace(b"Value: old", b"Value: new"))
        if self.downgrade:
            again = host.read(ANSWERS).replace(b"Value: new", b"Value: again")
            host.write(ANSWERS, again + answer("pkg/more", "asked"))
            host.write(MADE, b"made by the older package's script\n")
            host.place(FileState(TRUSTED, "absent"))
        return told

    for host in site.fleet.hosts.values():
        files.make_directories(host.state, "/var/cache/debconf")
        files.put(host.state, ANSWERS, File("file", data=answer("pkg/which", "old") + answer("pkg/other", "yes")))
        files.put(host.state, TRUSTED, File("file", data=b"a root\n"))
        host.save()
    monkeypatch.setattr(SetPackages, "apply", changed)
    site.start = site.fleet.observable()
    site.go_forward()
    assert b"Value: new" in (data(site, ANSWERS) or b"")
    return site


def test_what_scripts_of_the_way_back_write_to_answers_is_no_change_of_others(answered: Site) -> None:
    told(answered)
    assert data(answered, ANSWERS) == answer("pkg/which", "old") + answer("pkg/other", "yes")
    assert answered.present == answered.start


@pytest.mark.parametrize("theirs", [b"a root\n", b"mine\n"])
def test_what_scripts_of_the_way_back_take_away_is_there_again(answered: Site, theirs: bytes) -> None:
    edit(answered, TRUSTED, theirs)
    told(answered)
    assert data(answered, TRUSTED) == theirs


def test_answers_that_others_gave_since_stay_beside_those_that_go_back(answered: Site) -> None:
    edit(answered, ANSWERS, answer("pkg/which", "new") + answer("pkg/other", "no") + answer("mine/own", "mine"))
    assert any("others added" in line or ANSWERS in line for line in told(answered))
    assert data(answered, ANSWERS) == (
        answer("pkg/which", "old") + answer("pkg/other", "no") + answer("mine/own", "mine")
    )


GROUP, OVERRIDES = "/etc/group", "/var/lib/dpkg/statoverride"
GROUPS = b"root:x:0:\n"
MAIL_GROUP, MAIL_OVERRIDE = b"mail-spool:x:117:\n", b"root mail-spool 640 /etc/spooled\n"


@pytest.fixture
def overridden(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A fleet that went forward, to a package whose script adds a group and an override of an owner by it. dpkg reads the overrides
    whenever it runs, and dies of a group that there is not."""
    change = SetPackages.apply

    def changed(self: SetPackages, host: Host, store: Store) -> str:
        if self.downgrade:
            assert MAIL_GROUP in host.read(GROUP), "unknown system group in the statoverride file"
        told = change(self, host, store)
        if not self.downgrade:
            host.write(GROUP, GROUPS + MAIL_GROUP)
            host.write(OVERRIDES, MAIL_OVERRIDE)
        return told

    for host in site.fleet.hosts.values():
        files.make_directories(host.state, "/var/lib/dpkg")
        files.put(host.state, GROUP, File("file", data=GROUPS))
        files.put(host.state, OVERRIDES, File("file", data=b""))
        host.save()
    monkeypatch.setattr(SetPackages, "apply", changed)
    site.start = site.fleet.observable()
    site.go_forward()
    return site


def test_a_group_that_an_override_needs_is_there_while_packages_go_back_and_goes_after_it(
    overridden: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = FakeHost.write

    def noted(self: FakeHost, path: str, data: bytes, **more: str) -> None:
        if path in (GROUP, OVERRIDES):
            written.append(path)
        write(self, path, data, **more)

    monkeypatch.setattr(FakeHost, "write", noted)
    overridden.call("apply", "--restore-db", "--yes")
    assert overridden.present == overridden.start
    assert written == [OVERRIDES, GROUP] * 2


@pytest.mark.parametrize("edited", [False, True])
def test_a_conffile_stands_aside_while_its_package_goes_back_but_not_one_that_others_edited(
    site: Site, edited: bool
) -> None:
    host = site.fleet.hosts["cmp1"]
    path = next(path for one in host.state.packages.values() for path in one.conffiles if path in host.state.files)
    captured = CaptureState("state").observe(host, site.store)
    if edited:
        edit(site, path, b"mine\n")
    met = CaptureState("state").observe(host, site.store)
    assert isinstance(captured, RestoreState) and isinstance(met, RestoreState)
    state = replace(captured, fresh=(path,), only=(), seen=met.entries)
    if not edited:
        changed = (FileState(path, "file", "0600", "0", "0", "a" * 64),)
        assert replace(state, only=(path,))._stands_aside(*changed) and not state._stands_aside(*changed)
    before = data(site, path)
    state.ahead.apply(host, site.store)
    assert (data(site, path) is None) is not edited
    state.apply(host, site.store)
    assert data(site, path) == before
