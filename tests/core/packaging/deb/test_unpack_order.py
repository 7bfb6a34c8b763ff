"""Orders of unpacking: the checker against a plain model, the planner against the checker, both against a real transaction."""

import lzma
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput, UnsafeOrder
from nornir_upgrade.core.packaging.deb import apt, eipp, unpack_check, unpack_order
from nornir_upgrade.core.packaging.deb.arrangement import Simulation, arrange, arranged
from nornir_upgrade.core.packaging.deb.dependencies import Deb, deb
from nornir_upgrade.core.packaging.deb.rules import satisfies
from nornir_upgrade.core.packaging.deb.transition import Action, Slot, Transition, slot_of
from nornir_upgrade.core.packaging.deb.vital import NAMES, protected
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.transport.host import Result

DATA = Path(__file__).with_name("data")
NATIVE = "amd64"


def unpacked(name: str) -> str:
    """The text of a file in `DATA`."""
    return lzma.decompress((DATA / name).read_bytes()).decode()


@pytest.fixture(scope="module")
def back() -> Transition:
    """Debian 13 to 12 on a host with nginx, redis, exim and needrestart, as apt 3.0.4 asked its planner."""
    return eipp.parse(unpacked("trixie-to-bookworm.question.xz"))


def made(name: str, version: str, **fields: str) -> Deb:
    """A package of the host's architecture; `pre_depends` is `Pre-Depends`."""
    return deb(name, NATIVE, version, tuple((key.title().replace("_", "-"), text) for key, text in fields.items()))


def transition(before: Sequence[Deb], after: Sequence[Deb]) -> Transition:
    old, new = ({slot_of(one, NATIVE): one for one in world} for world in (before, after))
    return Transition(NATIVE, old, new, frozenset(old))


# ---------------------------------------------------------------------- a real transaction


def test_the_order_that_apt_chose_is_refused(back: Transition) -> None:
    theirs = apt.parse_order(unpacked("trixie-to-bookworm.simulation.xz"), back)
    assert len(theirs) > 400
    faults = unpack_check.check(back, theirs, unpack_order.locksteps(back))
    assert not unpack_check.safe(faults)
    lacking = {fault.text for fault in faults if fault.rule == "broken"}
    assert {"dash=0.5.12-12 lacks libc6 (>= 2.38)", "bash=5.2.37-2+b10 lacks libc6 (>= 2.38)"} <= lacking


def test_the_order_that_locked_a_host_out_is_refused(back: Transition) -> None:
    """dpkg's log of that day, as far as the packages are the same: it ended when the old libc6 had come."""
    seen: set[tuple[str, Slot]] = set()
    actions = []
    for line in (DATA / "locked-out.order").read_text().splitlines():
        act, _, word = line.partition(" ")
        name, _, arch = word.partition(":")
        slot = PackageName(name, NATIVE if arch in ("all", "") else arch)
        world = back.after if act == "Unpack" else back.before
        if slot in back.changing and slot in world and (act, slot) not in seen:
            seen.add((act, slot))
            actions.append(Action(act, world[slot]))  # type: ignore[arg-type]
    assert len(actions) > 100
    faults = unpack_check.check(back, actions, unpack_order.locksteps(back))
    assert any(fault.rule == "broken" and fault.text == "dash=0.5.12-12 lacks libc6 (>= 2.38)" for fault in faults)


def test_the_order_that_is_executed_is_accepted(back: Transition) -> None:
    said = Result(0, unpacked("trixie-to-bookworm.simulation.xz").encode(), b"")
    way = arrange("big", Simulation(said, unpacked("trixie-to-bookworm.question.xz")), downgrade=True)
    assert way.guarded and way.actions == unpack_order.order(back)
    faults = unpack_check.check(back, way.actions, unpack_order.locksteps(back))
    assert {fault.rule for fault in faults} == {"gap"}
    names = [action.deb.name for action in way.actions if action.act == "Unpack"]
    assert all(
        names.index(shell) < names.index("libc6") for shell in ("dash", "bash", "coreutils", "tar", "sudo", "dpkg")
    )
    # Every slot that changes is exchanged once, and all that is there at the end is configured.
    exchanged = [back.slot(action.deb) for action in way.actions if action.act != "Configure"]
    assert sorted(exchanged) == sorted(back.changing)


def test_a_lockstep_is_exchanged_without_anything_between(back: Transition) -> None:
    order = list(unpack_order.exchanges(back))
    for group in unpack_order.locksteps(back):
        places = sorted(order.index(slot) for slot in group)
        assert places == list(range(places[0], places[0] + len(group)))


def test_the_order_of_apt_stays_where_it_is_safe() -> None:
    before = [made("libc6", "2"), made("dash", "2", depends="libc6 (>= 2)")]
    after = [made("libc6", "1"), made("dash", "1", depends="libc6 (>= 1)")]
    way = transition(before, after)
    good = [
        Action("Unpack", after[1]),
        Action("Unpack", after[0]),
        Action("Configure", after[0]),
        Action("Configure", after[1]),
    ]
    assert arranged("h", way, good, downgrade=True).actions == ()
    bad = [good[1], good[0], *good[2:]]
    assert [action.deb.name for action in arranged("h", way, bad, downgrade=True).actions][:2] == ["dash", "libc6"]


def test_a_transaction_that_no_order_makes_safe_is_refused() -> None:
    """A library that conflicts with the shell which it is to serve, as no archive has it."""
    before = [made("libc6", "2"), made("dash", "2", depends="libc6 (>= 2)")]
    after = [
        made("libc6", "1", breaks="dash (>= 2)"),
        made("dash", "1", depends="libc6 (<< 2)", pre_depends="libc6 (= 1)"),
    ]
    with pytest.raises(UnsafeOrder, match=r"h: no order of unpacking keeps this host usable: .*dash=2 lacks libc6"):
        arranged("h", transition(before, after), (), downgrade=True)


def test_what_is_not_vital_is_left_to_apt() -> None:
    way = transition(
        [made("nginx", "2", depends="libnginx (= 2)"), made("libnginx", "2")],
        [made("nginx", "1"), made("libnginx", "1")],
    )
    assert arranged("h", way, (), downgrade=False) == arranged("h", way, (), downgrade=False)
    assert not arranged("h", way, (), downgrade=False).guarded and arranged("h", way, (), downgrade=True).guarded


def test_dpkg_refuses_what_pre_depends_on_something_unconfigured() -> None:
    after = [made("libone", "1"), made("tar", "2", pre_depends="libone")]
    way = transition([made("tar", "1")], after)
    ours = unpack_order.order(way)
    assert [str(action) for action in ours] == [
        "Unpack libone:amd64=1",
        "Configure libone:amd64=1",
        "Unpack tar:amd64=2",
        "Configure tar:amd64=2",
    ]
    assert unpack_check.check(way, ours) == ()
    late = (ours[0], ours[2], ours[1], ours[3])
    assert [fault.rule for fault in unpack_check.check(way, late)] == ["refused"]


def test_what_was_configured_before_counts_by_its_own_name_alone() -> None:
    """dpkg says of the other: "mawk provides awk but is unpacked but not configured"."""
    mawk = [made("mawk", version, provides="awk") for version in ("2", "1")]
    for asked, first in (
        ("mawk", ["Unpack mawk:amd64=1", "Unpack tar:amd64=1"]),
        ("awk", ["Unpack mawk:amd64=1", "Configure mawk:amd64=1"]),
    ):
        tar = [made("tar", "2", depends="mawk (>= 2)"), made("tar", "1", pre_depends=asked, conflicts="mawk (>= 2)")]
        way = transition([mawk[0], tar[0]], [mawk[1], tar[1]])
        ours = unpack_order.order(way)
        assert [str(action) for action in ours][:2] == first
        assert not [fault for fault in unpack_check.check(way, ours) if fault.rule == "refused"]
        unconfigured = [action for action in ours if action.act == "Unpack"]
        assert any(fault.rule == "refused" for fault in unpack_check.check(way, unconfigured)) is (asked == "awk")


def test_what_conflicts_goes_before_the_other_comes() -> None:
    way = transition([made("mawk", "1")], [made("gawk", "1", conflicts="mawk")])
    assert [action.act for action in unpack_order.order(way)] == ["Remove", "Unpack", "Configure"]


# ---------------------------------------------------------------------- apt's protocol

QUESTION = """\
Request: EIPP 0.1
Architecture: amd64
Architectures: amd64 i386
Remove: gone:amd64
Install: dash:amd64 tzdata:amd64
ReInstall: again:amd64

Package: dash
Architecture: amd64
Version: 2
APT-ID: 7
Status: installed
Pre-Depends: libc6 (>= 2)

Package: dash
Architecture: amd64
Version: 1
APT-ID: 8

Package: gone
Architecture: amd64
Version: 1
APT-ID: 9
Status: half-configured

Package: tzdata
Architecture: all
Version: 3
APT-ID: 10

Package: again
Architecture: amd64
Version: 1
APT-ID: 11
Status: triggers-pending

Package: removed
Architecture: amd64
Version: 1
APT-ID: 12
Status: config-files
"""


def test_the_question_of_apt() -> None:
    asked = eipp.parse(QUESTION)
    dash, gone, tzdata, again = (PackageName(name, "amd64") for name in ("dash", "gone", "tzdata", "again"))
    assert (asked.before[dash].version, asked.after[dash].version) == ("2", "1")
    assert gone in asked.before and gone not in asked.after and gone not in asked.ready
    assert asked.after[tzdata].arch == "all" and tzdata not in asked.before
    assert asked.changing >= {dash, gone, tzdata, again} and again in asked.ready


@pytest.mark.parametrize(
    "text", ["", "Request: EDSP 0.5\n", "Request: EIPP 0.1\nArchitecture: amd64\n\nPackage: dash\n"]
)
def test_what_is_no_question(text: str) -> None:
    with pytest.raises((InvalidInput, ValueError)):
        eipp.parse(text)


# ---------------------------------------------------------------------- a plain model

VITAL = ("dash", "tar", "sudo")
LIBRARIES = ("libone", "libtwo")


@st.composite
def worlds(draw: st.DrawFn) -> Transition:
    """Two worlds of vital programs and of libraries, each consistent: what a version asks for stands in its world."""
    sides = []
    for _ in range(2):
        versions = {name: draw(st.integers(1, 3)) for name in (*VITAL, *LIBRARIES)}
        there = {name: versions[name] for name in versions if name in VITAL or draw(st.booleans())}
        debs = []
        for name, version in there.items():
            asks = []
            for other in (one for one in there if one != name and draw(st.booleans())):
                bound = draw(st.sampled_from(["", ">=", "="] if name in VITAL else [">="]))
                asks.append(f"{other} ({bound} {there[other]})" if bound else other)
            debs.append(made(name, str(version), depends=", ".join(asks)))
        sides.append(debs)
    return transition(*sides)


def replay(way: Transition, actions: Sequence[Action]) -> Iterator[dict[Slot, Deb]]:
    """What is unpacked after each action."""
    there = dict(way.before)
    for action in actions:
        if action.act == "Unpack":
            there[way.slot(action.deb)] = action.deb
        elif action.act == "Remove":
            del there[way.slot(action.deb)]
        yield dict(there)


def lacking(way: Transition, there: dict[Slot, Deb]) -> set[str]:
    """All that the vital set lacks, asked anew of everything."""
    return {
        f"{there[slot]} lacks {demand}"
        for slot in protected(way) & there.keys()
        for demand in there[slot].depends
        if not any(
            satisfies(one, relation, there[slot], NATIVE) for one in there.values() for relation in demand.relations
        )
    }


def exchange(way: Transition, slot: Slot) -> Action:
    return Action("Unpack", way.after[slot]) if slot in way.after else Action("Remove", way.before[slot])


@settings(max_examples=150, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_checker_sees_what_a_plain_model_sees(way: Transition, random: object) -> None:
    slots = sorted(way.changing)
    random.shuffle(slots)  # type: ignore[attr-defined]
    actions = [exchange(way, slot) for slot in slots]
    seen = {
        fault.text for fault in unpack_check.check(way, actions) if fault.rule == "broken" and "still" not in fault.text
    }
    seen = {text for text in seen if not text.endswith("at the end")}
    start = lacking(way, dict(way.before))
    assert seen == {text for there in replay(way, actions) for text in lacking(way, there)} - start


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_where_any_order_is_without_a_gap_ours_is(way: Transition) -> None:
    def clean(slots: Sequence[Slot]) -> bool:
        return not any(lacking(way, there) for there in replay(way, [exchange(way, slot) for slot in slots]))

    ours = unpack_order.exchanges(way)
    assert sorted(ours) == sorted(way.changing)
    if len(ours) <= 5 and any(clean(order) for order in permutations(ours)):
        assert clean(ours)


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_our_orders_are_what_dpkg_does(way: Transition) -> None:
    faults = unpack_check.check(way, unpack_order.order(way), unpack_order.locksteps(way))
    assert {fault.rule for fault in faults} <= {"gap"}, [str(fault) for fault in faults]


def test_the_vital_set_has_what_a_login_needs() -> None:
    assert {
        "libc6",
        "dash",
        "coreutils",
        "tar",
        "dpkg",
        "apt",
        "perl-base",
        "libpam0g",
        "sudo",
        "openssh-server",
        "systemd",
    } <= NAMES
