"""The proof: what is foretold of the packages, what each host is asked, and the verdicts."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import Blocked, Unobtainable
from nornir_upgrade.core.escrow import host_copies
from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.facts.gather import gather
from nornir_upgrade.core.packaging.model import Package, PackageChange, PackageWant, Transaction
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.packaging.rehearsal import Rehearsed, rehearse
from nornir_upgrade.core.store import Store, digest_of
from nornir_upgrade.planner.reversibility import (
    Obstacle,
    Reversibility,
    WayBackQuestion,
    after,
    judge,
    questions,
    refuse_no_way_back,
    unoffered,
)
from nornir_upgrade.prepare.reversibility import prove
from nornir_upgrade.report import plan_text
from nornir_upgrade.scenario import loader
from nornir_upgrade.steps.packages import SetPackages, as_they_are
from nornir_upgrade.steps.repositories import SetRepository
from tests.fake import hosts
from tests.fake.fleet import FakeFleet
from tests.fake.host import FakeHost
from tests.fake.world import SHIPPED, lab

OLD_SOURCE = "/etc/apt/sources.list.d/cloud-havana.list"
FILE = PackageFile("deb", "tool", "all", "1")
QUESTION = WayBackQuestion(
    "apt",
    {},
    (Package("tool", "all", "1", "installed", "install", auto=False),),
    (Package("tool", "all", "2", "installed", "install", auto=False),),
    (PackageWant("tool", "all", "1", "installed"),),
)
CHANGE = PackageChange("tool", "all", "2", "1")
DOES = Rehearsed(frozenset({FILE}), Transaction((CHANGE,)))
KEPT = Kept(FILE, "0" * 64, 7, "h1", "repository", "index", "2026-01-01")


class NamedFleet(FakeFleet):
    """As the command line knows a fleet."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.hosts)


def placed(directory: Path) -> dict[str, FakeHost]:
    """The lab's fleet, on fake hosts."""
    return {made.name: hosts.place(made, directory) for made in hosts.fleet()}


# ---------------------------------------------------------------------- the whole, on fake hosts


def test_what_is_foretold_of_a_fleet_is_what_the_run_leads_to(tmp_path: Path) -> None:
    fleet, plan = FakeFleet(placed(tmp_path).values()), lab().plan()
    asked = questions(plan, {name: gather(host) for name, host in fleet.hosts.items()})
    assert set(asked) == {"ctl1", "net1", "cmp1", "cmp2"}
    for _, host, step in plan.steps():
        if isinstance(step, SetRepository | SetPackages):
            step.apply(fleet.hosts[host], Store(tmp_path / "store"))
    for name, made in fleet.hosts.items():
        reached = {one for one in gather(made).packages if one.unpacked}
        assert {one for one in asked[name].after if one.unpacked} == reached


def test_a_fleet_whose_repositories_have_it_all_can_go_back_and_nothing_is_changed(tmp_path: Path) -> None:
    fleet, plan = FakeFleet(placed(tmp_path).values()), lab().plan()
    before = fleet.observable()
    facts = {name: gather(host) for name, host in fleet.hosts.items()}
    said: list[str] = []
    proofs = prove(fleet, plan, facts, Escrow.beside(Store(tmp_path / "store")), said.append, keeping=True)  # type: ignore[arg-type]
    assert {one.host: one.verdict for one in proofs} == dict.fromkeys(facts, "reversible")
    assert said == ["Asking 4 package managers for the way back"] and fleet.observable() == before
    (first,) = (one for one in proofs if one.host == "cmp1")
    assert {change.name for change in first.changes} >= {"nova-compute", "nova-common", "python-nova"}


@pytest.mark.parametrize(("keeping", "verdict"), [(False, "no way back"), (True, "reversible from escrow")])
def test_what_no_repository_has_is_kept_or_there_is_no_way_back(tmp_path: Path, keeping: bool, verdict: str) -> None:
    fleet, plan = FakeFleet(placed(tmp_path).values()), lab().plan()
    del fleet.hosts["cmp1"].state.files[OLD_SOURCE]
    fleet.hosts["cmp1"].save()
    facts = {name: gather(host) for name, host in fleet.hosts.items()}
    escrow = Escrow.beside(Store(tmp_path / "store"))
    proofs = {one.host: one for one in prove(fleet, plan, facts, escrow, print, keeping=keeping)}  # type: ignore[arg-type]
    assert proofs["cmp1"].verdict == verdict and proofs["cmp2"].verdict == "reversible"
    named = {name for reason in proofs["cmp1"].reasons for name in reason.packages}
    named |= {file.name for found in proofs.values() for file in found.to_keep}
    assert named == {"nova-compute", "nova-common", "python-nova", "python-novaclient"}


@pytest.mark.parametrize("state", ["whole", "damaged", "unknown"])
def test_what_a_host_keeps_whole_counts(tmp_path: Path, state: str) -> None:
    fleet, plan = NamedFleet(placed(tmp_path).values()), lab().plan()
    del fleet.hosts["cmp1"].state.files[OLD_SOURCE]
    fleet.hosts["cmp1"].save()
    facts = {name: gather(host) for name, host in fleet.hosts.items()}
    escrow = Escrow.beside(Store(tmp_path / "store"))
    lacking = prove(fleet, plan, facts, escrow, print, keeping=True)  # type: ignore[arg-type]
    for file in next(one.to_keep for one in lacking if one.host == "cmp1"):
        data = str(file).encode()
        host_copies.take(fleet.hosts["cmp2"], {}, len(data))
        host_copies.receive(fleet.hosts["cmp2"], BytesIO(data), digest_of(data))
        escrow.holders.add("cmp2", {digest_of(data)})
        escrow.keep(Kept(file, digest_of(data), len(data), "cmp2", "cache", "index", "2026-01-01"))
        if state == "damaged":
            fleet.hosts["cmp2"].write(f"{host_copies.DIRECTORY}/{digest_of(data)}", b"damaged")
        elif state == "unknown":
            escrow.holders.remove("cmp2", {digest_of(data)})
    proofs = {one.host: one for one in prove(fleet, plan, facts, escrow, print, keeping=False)}  # type: ignore[arg-type]
    assert proofs["cmp1"].verdict == ("reversible from escrow" if state == "whole" else "no way back")
    assert len(proofs["cmp1"].kept) == (4 if state == "whole" else 0)


def test_a_manager_that_refuses_the_way_back_is_quoted(tmp_path: Path) -> None:
    host = placed(tmp_path)["cmp1"]
    question = questions(lab().plan(), {"cmp1": gather(host)})["cmp1"]
    wrong = tuple(one for one in question.want if one.name != "nova-common")
    found = rehearse(host, "apt", question.repositories, question.present, question.after, wrong)
    assert found.said is None and "nova-common" in found.refusal
    host.state.packages["less"].version = "8"
    told = rehearse(host, "apt", question.repositories, question.present, question.after, question.want)
    assert told.said is None and "the indexes do not tell the state after the plan: less" in told.refusal


# ---------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("said", "kept", "whole", "verdict", "why"),
    [
        (DOES, {}, (), "reversible", ""),
        (replace(DOES, offered=frozenset()), {FILE: KEPT}, (), "reversible from escrow", ""),
        (replace(DOES, offered=frozenset()), {}, (FILE,), "reversible from escrow", ""),
        (replace(DOES, offered=frozenset()), {}, (), "no way back", "tool:all 1: no repository has it"),
        (replace(DOES, said=None, refusal="h1: no"), {}, (), "no way back", "h1: no"),
        (replace(DOES, said=Transaction(())), {}, (), "no way back", "would not change tool:all 2 -> 1"),
    ],
)
def test_verdicts(
    said: Rehearsed, kept: dict[PackageFile, Kept], whole: tuple[PackageFile, ...], verdict: str, why: str
) -> None:
    found = judge("h1", QUESTION, said, kept, whole)
    assert (found.verdict, found.changes, found.bytes) == (verdict, (CHANGE,), 7 * len(kept))
    assert why in "".join(reason.text for reason in found.reasons)
    assert found.to_keep == ((FILE,) if whole else ())
    assert unoffered(QUESTION, said) == (() if said.offered else (FILE,))


def test_hosts_without_a_way_back_are_refused_but_for_those_named() -> None:
    lost = Reversibility("h1", "no way back", (), reasons=(Obstacle(("tool",), "tool:all 1: gone"),))
    refuse_no_way_back([lost, Reversibility("h2", "reversible", ())], ["h1"])
    with pytest.raises(Blocked, match="h1: no way back: tool:all 1: gone") as refusal:
        refuse_no_way_back([lost, replace(lost, host="h3")], ["h3"])
    assert refusal.value.hint.endswith("--accept-no-way-back h1") and refusal.value.exit_code == 24


def test_the_plan_tells_of_the_ways_back_those_that_are_alike_together() -> None:
    world = lab()
    lost = Reversibility("net1", "no way back", (), reasons=(Obstacle(("tool",), "tool:all 1: gone"),))
    from_escrow = Reversibility(
        "cmp1", "reversible from escrow", (CHANGE,), (FILE,), (replace(FILE, name="other"),), 2048
    )
    proofs = (from_escrow, lost, replace(from_escrow, host="cmp2"), Reversibility("ctl1", "reversible", (CHANGE,)))
    shown = plan_text.outline(world.plan(), world.facts, loader.load(SHIPPED), proofs)
    assert [(way.hosts, way.verdict) for way in shown.ways_back] == [
        (("net1",), "no way back"),
        (("ctl1",), "reversible"),
        (("cmp1", "cmp2"), "reversible from escrow"),
    ]
    told = plan_text.text(shown).partition("\nway back  ")[2].splitlines()
    assert told[0].startswith("(open as long as the run is in the journal")
    assert (
        told[1:3] == ["  net1: NO WAY BACK", "    tool:all 1: gone"]
        and told[4] == "  cmp1, cmp2: reversible from escrow"
    )
    assert "2.0 kB: tool:all 1" in told[5] and told[6].endswith("before it changes anything: other:all 1")


# ---------------------------------------------------------------------- what is foretold

NAMES, ARCHS, VERSIONS = st.sampled_from(["aa", "bb", "cc"]), st.sampled_from(["all", "amd64"]), st.sampled_from("123")
PRESENT = st.lists(
    st.builds(
        Package, NAMES, ARCHS, VERSIONS, st.just("installed"), st.sampled_from(["install", "hold"]), st.booleans()
    ),
    unique_by=lambda one: one.name,
)
WANT = st.lists(
    st.one_of(
        st.builds(PackageWant, NAMES, ARCHS, VERSIONS, st.just("installed"), st.booleans(), st.booleans()),
        st.builds(PackageWant, NAMES, ARCHS, st.just(""), st.sampled_from(["absent", "config-files"])),
    ),
    unique_by=lambda one: one.name,
)


@given(PRESENT, WANT)
def test_forward_and_back_leads_to_where_it_began(present: list[Package], want: list[PackageWant]) -> None:
    then = after(present, want)
    wanted = {(one.name, one.arch, one.version) for one in want if one.goal == "installed"}
    assert wanted <= {(one.name, one.arch, one.version) for one in then if one.unpacked}
    assert not any(one.unpacked and one.key in {w.key for w in want if w.goal != "installed"} for one in then)
    again = after(then, as_they_are(want, present))
    assert {one for one in again if one.unpacked} == set(present)


def test_an_index_that_cannot_be_fetched_is_told(tmp_path: Path) -> None:
    host = placed(tmp_path)["cmp1"]
    question = questions(lab().plan(), {"cmp1": gather(host)})["cmp1"]
    nowhere = {"/etc/apt/sources.list.d/x.list": "deb http://10.99.0.1/nowhere nowhere main\n"}
    with pytest.raises(Unobtainable, match="does not have a Release file"):
        rehearse(host, "apt", nowhere, question.present, question.after, question.want)
