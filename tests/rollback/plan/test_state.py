"""What maintainer scripts change beside packages, on the way back: all that the run made, and nothing that others did since."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.state.entries import Entry, value_of
from nornir_upgrade.core.state.places import areas_of
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host, Result
from nornir_upgrade.steps import state as steps_state
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.files import CaptureFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.state import CaptureState, RestoreState
from rollback import verify
from rollback.foreign.changes import Others, others
from rollback.snapshot import keep
from tests import builders
from tests.fake import files, way_back
from tests.fake.host import FakeHost
from tests.fake.state import File, HostState
from tests.rollback.conftest import Site

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


UPGRADE = way_back._upgrade


@pytest.fixture
def scripted(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A fleet that went forward, with such scripts."""
    monkeypatch.setattr(way_back, "_upgrade", script)
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
    assert (
        "is restored" in caution and "kept in the store" in caution and "state of cmp1 before the way back" in caution
    )
    assert data(scripted, SCRIPTED) is None
    assert scripted.store.get(sha256(b"improved\n").hexdigest()) == b"improved\n"
    run = scripted.journal.run("last")
    assert any(name == "state of cmp1 before the way back" for name in run.captures)


def test_a_run_without_an_end_goes_back_whole_and_that_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "_upgrade", script)
    plan = way_back.forward(site.fleet)
    run = site.journal.open_run(type(plan)(plan.direction, plan.origin, plan.waves[:-1]))
    keep(site.journal, tuple(site.facts().values()), run=run.id)
    assert site.execute(run).succeeded
    edit(site, OWN, b"mine\n")
    assert any("did not complete" in line for line in told(site))
    assert site.present == site.start
    assert site.store.get(sha256(b"mine\n").hexdigest()) == b"mine\n"


def test_no_difference_is_left_out_of_the_document(scripted: Site) -> None:
    document = scripted.json("diff", "last")
    assert document["compared"]["cmp1"]["etc"] > 3 and "databases" not in document["compared"]["cmp1"]
    assert document["explained"] == []


def test_what_others_changed_after_a_run_was_undone_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "_upgrade", script)
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
    now = replace(builders.facts("cmp1"), areas=areas_of("deb"), entries=(there, override))
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


BYTE = "\uf8e9"
"""Stands in the fake's text for a byte that is no UTF-8, which its file cannot hold."""
ODD, NEW, LINK, BIG = f"/etc/caf{BYTE}", f"/etc/na{BYTE}ve", "/etc/odd-link", "/etc/big"


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts tell of such bytes, and are asked for nothing at such a name."""

    def heard(states: Iterable[FileState]) -> tuple[FileState, ...]:
        return tuple(
            replace(one, path=one.path.replace(BYTE, "\udce9"), target=one.target.replace(BYTE, "\udce9"))
            for one in states
        )

    def never(call: str) -> None:
        asked = getattr(FakeHost, call)

        def guarded(self: FakeHost, first: Any, *rest: Any, **more: Any) -> Any:
            assert "udce9" not in repr(first)
            return asked(self, first, *rest, **more)

        monkeypatch.setattr(FakeHost, call, guarded)

    survey, tree, run = FakeHost.survey, FakeHost.tree, FakeHost.run
    monkeypatch.setattr(FakeHost, "survey", lambda self, roots: heard(survey(self, roots)))
    monkeypatch.setattr(FakeHost, "tree", lambda self, roots: heard(tree(self, roots)))

    def told(self: FakeHost, argv: Sequence[str], **more: Any) -> Result:
        result = run(self, argv, **more)
        return replace(result, stdout=result.stdout.replace(BYTE.encode(), b"\xe9"))

    monkeypatch.setattr(FakeHost, "run", told)
    for call in ("read", "read_many", "write", "put", "place"):
        never(call)


def stand(site: Site, **files_of: File) -> None:
    host = site.fleet.hosts["cmp1"]
    for path, file in files_of.items():
        files.put(host.state, path, file)
    host.save()


def test_a_name_that_is_no_utf8_costs_itself_alone(site: Site, odd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "_upgrade", script)
    stand(site, **{ODD: File("file", data=b"x"), LINK: File("symlink", target=f"/etc/caf{BYTE}")})
    site.start = site.fleet.observable()
    site.go_forward()
    stand(site, **{ODD: File("file", data=b"mine"), NEW: File("file", data=b"new")})
    site.start["cmp1"].files |= {path: site.fleet.observable()["cmp1"].files[path] for path in (ODD, NEW)}
    cautions = told(site)
    assert data(site, ODD) == b"mine" and data(site, NEW) == b"new" and data(site, SCRIPTED) is None
    assert site.present == site.start
    (caution,) = [line for line in cautions if "stays as it is" in line]
    assert r"/etc/caf\udce9, /etc/na\udce9ve" in caution and "odd-link" not in caution


def test_facts_tell_of_a_name_that_is_no_utf8(site: Site, odd: None) -> None:
    stand(site, **{ODD: File("file", data=b"odd"), LINK: File("symlink", target=f"/etc/caf{BYTE}")})
    facts = gather(site.fleet.hosts["cmp1"])
    told = {one.name: one.value for one in codec.loads(codec.dumps(facts), HostFacts).entries}
    assert told[r"/etc/caf\udce9"].startswith("file ") and told[LINK] == r"-> /etc/caf\udce9"


def test_a_name_that_is_no_utf8_stands_in_no_capture(site: Site, odd: None) -> None:
    host = site.fleet.hosts["cmp1"]
    for capture in (CaptureState("state"), CaptureFiles(("/etc",), "etc")):
        stand(site, **{ODD: File("file", data=b"odd")})
        step = capture.observe(host, site.store)
        codec.dumps(step)
        stand(site, **{ODD: File("file", data=b"odder")})
        step.apply(host, site.store)
        assert data(site, ODD) == b"odder"
    assert sha256(b"odd").hexdigest() not in site.store and sha256(b"odder").hexdigest() not in site.store


@pytest.mark.parametrize("then", [b"small", b"large" * 10_000])
@pytest.mark.parametrize("now", [b"little", b"huge!" * 11_000])
def test_a_large_file_is_neither_captured_nor_restored_nor_taken_away(
    site: Site, monkeypatch: pytest.MonkeyPatch, then: bytes, now: bytes
) -> None:
    monkeypatch.setattr(steps_state, "AT_ONCE", 40_000)
    host = site.fleet.hosts["cmp1"]
    stand(site, **{BIG: File("file", data=then)})
    step = CaptureState("state").observe(host, site.store)
    assert isinstance(step, RestoreState)
    assert (sha256(then).hexdigest() in site.store) is (len(then) < 40_000)
    assert (BIG in [one.path for one in step.kept]) is (len(then) < 40_000)
    edit(site, BIG, now)
    (there,) = host.survey((BIG,))
    small = len(then) < 40_000 and len(now) < 40_000
    assert step.reverts(there) is small
    step.apply(host, site.store)
    assert data(site, BIG) == (then if small else now)


def test_a_large_file_that_others_made_since_stands_in_no_ways_way(
    scripted: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_state, "AT_ONCE", 40_000)
    edit(scripted, BIG, b"huge!" * 11_000)
    (caution,) = [line for line in told(scripted) if BIG in line]
    assert "stays as it is" in caution
    assert data(scripted, BIG) and data(scripted, SCRIPTED) is None


def test_records_that_are_too_large_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_state, "AT_ONCE", 40_000)
    stand(site, **{PASSWD: File("file", data=ROOT * 10_000)})
    with pytest.raises(InvalidInput, match=r"cmp1: .*/etc/passwd .* move data out of there"):
        CaptureState("state").observe(site.fleet.hosts["cmp1"], site.store)


def test_too_much_is_refused_with_what_mends_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_state, "BOUND", 100)
    stand(site, **{BIG: File("file", data=b"x" * 5000)})
    with pytest.raises(InvalidInput, match=r"cmp1: .*the largest are /etc/big .* move data out of there"):
        CaptureState("state").observe(site.fleet.hosts["cmp1"], site.store)


def test_differences_that_a_rule_explains_are_told_as_such(scripted: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "explained_in_text", lambda _: "etc  1 explained")
    result = scripted.call("apply", "--restore-db", "--yes")
    assert "Explained, and not counted:\netc  1 explained" in result.stdout


@pytest.mark.parametrize(
    ("path", "size", "goes_back"), [(OWN, 1, True), (OWN, 25 << 20, False), (r"/etc/caf\udce9", 1, False)]
)
def test_no_caution_promises_what_no_capture_holds(path: str, size: int, goes_back: bool) -> None:
    left = FileState(path, "file", "0640", "0", "4", "b" * 64, size=size)
    there = Entry("etc", path, value_of(replace(left, digest="c" * 64)))
    now = replace(builders.facts("cmp1"), areas=areas_of("deb"), entries=(there,))
    found = others(RestoreState(()), frozenset({path}), (left,), now)
    assert (found.returns, found.stays) == (((path,), ()) if goes_back else ((), (path,)))
