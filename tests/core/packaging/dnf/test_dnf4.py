"""rpm and dnf: what is said to them, and what they say. Output of dnf 4 is recorded, that of dnf 5 is after its documentation."""

import json
import re
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.arrangement import Arrangement
from nornir_upgrade.core.packaging.dnf import dnf4, table
from nornir_upgrade.core.packaging.dnf.family import DnfTransactions
from nornir_upgrade.core.packaging.model import Package, PackageChange, PackageName, PackageWant, differences, implied
from nornir_upgrade.core.packaging.rpm import query, versionlock
from nornir_upgrade.core.transport.jobs import commands_text
from nornir_upgrade.core.version import nevra
from nornir_upgrade.planner import reversibility
from nornir_upgrade.steps.packages import as_they_are, surprises
from tests import builders

CASES = Path(__file__).parents[3] / "cases" / "dnf"
DNF = dnf4.Dnf()
LONG = "openstack-nova-novncproxy-with-a-name-that-no-column-of-dnf-holds"


def case(name: str) -> str:
    return (CASES / f"{name}.txt").read_text()


def present(name: str = "query_havana") -> tuple[Package, ...]:
    return DNF.parse_query(case(name))


def want(name: str, version: str = "", *, auto: bool = False, hold: bool = False, arch: str = "noarch") -> PackageWant:
    return PackageWant(name, arch, version, "installed" if version else "absent", auto, hold)


package = partial(builders.package, arch="noarch")


def back() -> tuple[PackageWant, ...]:
    """What makes a host of icehouse the one of havana again."""
    old = present()
    names = {one.name for one in old}
    new = [want(one.name) for one in present("query_icehouse") if one.name not in names]
    return (*(want(one.name, one.version, auto=one.auto) for one in old), *new)


def rows(argv: tuple[str, ...]) -> set[tuple[str, str, str]]:
    return {(row["action"], row["nevra"], row["reason"]) for row in json.loads(dnf4.handed(argv))["rpms"]}


# ---------------------------------------------------------------------- the list of packages


def test_the_list_of_packages_is_read() -> None:
    found = {one.name: one for one in present()}
    assert found["libvirt"] == Package("libvirt", "noarch", "1:1.1.3-1.el6", "installed", "install", False)
    assert {one.name for one in found.values() if one.auto} == {
        "openstack-nova-common",
        "python-nova",
        "python-quantumclient",
    }
    assert [one.name for one in present()] == sorted(found)


def test_a_lock_is_a_hold() -> None:
    assert [one.name for one in present("query_locked") if one.hold] == ["libvirt"]


def test_a_kernel_stands_in_two_versions() -> None:
    kernels = (PackageName("kernel", "noarch", "3.10.0-1.el6"), PackageName("kernel", "noarch", "3.11.0-1.el7"))
    assert query.several(present("query_icehouse")) == kernels


@pytest.mark.parametrize("cut", [2, 6, 60, 300, 800])
def test_a_list_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(InvalidInput, match=r"cut off|no end of a section|lacks"):
        DNF.parse_query(case("query_havana")[:-cut])


@pytest.mark.parametrize(
    "line, reason",
    [
        ("nova\t0\t1\t1", "4 fields instead of 5"),
        ("--setopt=x\t0\t1\t1\tnoarch", "no name of an rpm package"),
        ("nova*\t0\t1\t1\tnoarch", "no name of an rpm package"),
        ("nova\t0\t1 2\t1\tnoarch", "no rpm version"),
        ("nova\t0\t1\t1\tpdp11", "no architecture of rpm"),
        ("nova\t0\t1\t1\t(none)", "has no architecture"),
    ],
)
def test_a_line_that_is_no_package_is_refused_with_its_number(line: str, reason: str) -> None:
    first = "python-quantumclient\t"
    with pytest.raises(InvalidInput, match=f"line 4: .*{re.escape(reason)}"):
        DNF.parse_query(case("query_havana").replace(first, f"{line}\n{first}", 1))


@pytest.mark.parametrize(
    "lock, holds",
    [
        ("nova", True),
        ("nova-2:1.0-1.*", True),
        ("nova-2:1.0", True),
        ("nova-1.0-1.noarch", False),
        ("nova-2:1.1-1.*", False),
        ("!nova-2:1.0-1.*", False),
        ("# nova", False),
    ],
)
def test_a_line_of_the_lock_list_holds_what_it_matches(lock: str, holds: bool) -> None:
    assert versionlock.parse_list(f"\n{lock}\n")(package("nova", "2:1.0-1")) is holds


# ---------------------------------------------------------------------- the table


def test_the_table_of_the_way_back_is_what_was_wanted() -> None:
    now = present("query_icehouse")
    said = DNF.parse_simulation(case("simulation_downgrade"), now)
    assert PackageChange("kernel", "noarch", "3.11.0-1.el7", "") in said.changes
    assert PackageChange("libvirt", "noarch", "1:1.2.0-1.el7", "1:1.1.3-1.el6") in said.changes
    ordinary = [change for change in said.changes if change.name != "kernel"]
    wanted = [one for one in back() if one.name != "kernel"]
    assert surprises(ordinary, implied(wanted, now).changes, wanted) == ()


def test_what_is_replaced_goes_and_a_kernel_comes_beside_the_other() -> None:
    said = DNF.parse_simulation(case("simulation_upgrade"), present()).changes
    assert PackageChange("openstack-quantum", "noarch", "2013.2-3.el6", "") in said
    assert PackageChange("openstack-neutron", "noarch", "", "2014.1-11.el7") in said
    assert PackageChange("kernel", "noarch", "", "3.11.0-1.el7") in said
    assert next(one.new for one in said if one.name == LONG) == "2014.1-1.el7.0.20140417git1234567890abcdef"


def test_removals_and_no_table_at_all() -> None:
    said = DNF.parse_simulation(case("simulation_erase"), present()).changes
    assert [(one.name, one.new) for one in said] == [("libvirt", ""), (LONG, "")]
    assert DNF.parse_simulation(case("nothing_to_do"), present()).changes == ()


@pytest.mark.parametrize("name", ["simulation_upgrade", "simulation_downgrade"])
def test_a_row_broken_in_two_is_the_same_row(name: str) -> None:
    whole = case(name)
    broken = re.sub(rf"^ {LONG} +", f" {LONG}\n{' ' * 20}", whole, flags=re.M)
    assert broken != whole
    now = present("query_icehouse")
    assert table.parse(broken, now) == table.parse(whole, now)


@pytest.mark.parametrize(
    "before, after, reason",
    [
        ("Transaction Summary", "Transaktionsübersicht", "not understood"),
        ("Upgrading:", "Aktualisieren:", "not understood"),
        ("Upgrading:", "Enabling module streams:", "not understood"),
        (" 2.0-1.el7   ", " 2.0*1.el7   ", "no name-version-release"),
        ("5.5 k", "5.5 k more", "not understood"),
    ],
)
def test_a_table_that_says_something_else_is_refused(before: str, after: str, reason: str) -> None:
    text = case("simulation_upgrade")
    assert before in text
    with pytest.raises(InvalidInput, match=reason):
        table.parse(text.replace(before, after), present())


def test_a_table_that_is_cut_off_is_refused() -> None:
    text = case("simulation_upgrade")
    with pytest.raises(InvalidInput, match="cut off"):
        table.parse(text[: text.index("Removing:")], present())


def test_an_upgrade_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="agent is not installed"):
        table.parse(case("simulation_upgrade"), [one for one in present() if one.name != "agent"])


# ---------------------------------------------------------------------- commands


def test_the_way_back_is_one_transaction_with_every_removal_named() -> None:
    command = DNF.simulate(back(), present("query_icehouse"), downgrade=True)
    assert command[-3:] == ("history", "replay", "/dev/stdin") and "--assumeno" in command
    plan = rows(command)
    assert ("Downgrade", "libvirt-1:1.1.3-1.el6.noarch", "user") in plan
    assert ("Downgraded", "libvirt-1:1.2.0-1.el7.noarch", "user") in plan
    assert ("Install", "python-quantumclient-2.2.5-1.el6.noarch", "dependency") in plan
    assert ("Removed", "openstack-neutron-2014.1-11.el7.noarch", "user") in plan
    assert {row for row in plan if "kernel" in row[1]} == {("Removed", "kernel-3.11.0-1.el7.noarch", "user")}
    assert not any("lab-base" in nevra for _, nevra, _ in plan)


def many() -> tuple[list[Package], list[PackageWant]]:
    """Three thousand packages, and their old versions."""
    now = [package(f"openstack-package-{number}", "2014.1-11.el7") for number in range(3000)]
    return now, [want(one.name, "2013.2-9.el6") for one in now]


def test_what_three_thousand_packages_need_is_said_of_each() -> None:
    """`python -m benchmarks versions` measures how long that takes."""
    now, past = many()
    assert len(DNF.change(past, now, downgrade=True, wait=0)) == 1
    assert len(implied(past, now).changes) == len(as_they_are(past, now)) == len(reversibility.after(now, past)) == 3000


@pytest.mark.parametrize("status", [0, 1])
def test_a_plan_of_three_thousand_packages_comes_whole(tmp_path: Path, status: int) -> None:
    """Linux takes no argument of more than 128 KiB, and so large a plan is five times as long."""
    dnf_there = tmp_path / "dnf"
    dnf_there.write_text(f"#!/bin/sh\ncat >{tmp_path}/plan\nexit {status}\n")
    dnf_there.chmod(0o755)
    now, past = many()
    simulate, change = DNF.simulate(past, now, downgrade=True), DNF.change(past, now, downgrade=True, wait=0)[0]
    for argv in (simulate, change, DnfTransactions().commands((change,), ("nova-api",), Arrangement())[0]):
        assert max(map(len, argv)) < 1 << 17 < len(dnf4.handed(argv))
    for argv in (simulate, change):
        text = commands_text((argv,))  # as a job runs it
        ended = subprocess.run(("sh",), input=text, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
        assert ended.returncode == status and (tmp_path / "plan").read_text() == dnf4.handed(argv)
    assert len(json.loads(dnf4.handed(change))["rpms"]) == 6000


def test_a_duplicate_that_a_killed_rpm_left_goes() -> None:
    two = (package("libbeta", "1.0-1"), package("libbeta", "2.0-1"))
    assert rows(DNF.simulate([want("libbeta", "1.0-1")], two, downgrade=True)) == {
        ("Removed", "libbeta-2.0-1.noarch", "user")
    }


def test_of_several_versions_only_the_one_that_is_named_goes() -> None:
    kernels = (package("kernel", "3.10-1"), package("kernel", "3.11-1"))
    gone = PackageWant("kernel", "noarch", "3.11-1", "absent")
    assert rows(DNF.simulate([gone], kernels, downgrade=False)) == {("Removed", "kernel-3.11-1.noarch", "user")}


def test_a_package_that_ceases_to_be_of_no_architecture_takes_its_own_place() -> None:
    wanted = [want("nova", "2.0-1", arch="x86_64")]
    assert rows(DNF.simulate(wanted, [package("nova", "1.0-1")], downgrade=False)) == {
        ("Install", "nova-2.0-1.x86_64", "user"),
        ("Removed", "nova-1.0-1.noarch", "user"),
    }
    assert implied(wanted, [package("nova", "1.0-1")]).changes == (PackageChange("nova", "x86_64", "1.0-1", "2.0-1"),)


def test_marks_that_the_transaction_leaves_wrong_are_set() -> None:
    wanted = [want("nova", "2.0-1", auto=True), want("new", "1-1", auto=True), want("same", "1-1")]
    _, *marks = DNF.change(wanted, [package("nova", "1.0-1"), package("same", "1-1")], downgrade=False, wait=1)
    assert marks == [("dnf", "mark", "remove", "nova-2.0-1.noarch")]


def test_of_what_stood_in_several_versions_the_mark_is_set_again() -> None:
    two = [replace(package("libbeta", version), auto=True) for version in ("1.0-1", "2.0-1")]
    _, *marks = DNF.change([want("libbeta", "1.0-1", auto=True)], two, downgrade=True, wait=1)
    assert marks == [("dnf", "mark", "remove", "libbeta-1.0-1.noarch")]


def test_a_lock_gives_way_only_where_it_must() -> None:
    held = [package("nova", "1.0-1", hold=True)]
    kept = DNF.change([want("nova", "1.0-1", hold=True)], held, downgrade=False, wait=1)
    assert len(kept) == 1 and "--disableplugin=versionlock" not in kept[0]
    moved, *locks = DNF.change([want("nova", "2.0-1", hold=True)], held, downgrade=False, wait=1)
    assert "--disableplugin=versionlock" in moved
    assert locks == [
        ("dnf", "versionlock", "delete", "nova"),
        ("dnf", "versionlock", "add", "nova-2.0-1.noarch"),
    ]


def test_no_option_weakens_a_check() -> None:
    words = " ".join(DNF.simulate(back(), present("query_icehouse"), downgrade=True))
    assert not re.search(r"gpgcheck|skip-broken|skip-unavailable|ignore|nobest", words)


_HOSTILE = [
    "-y",
    "--setopt=x=1",
    "nova*",
    "@core",
    "/etc/passwd",
    "http://x/a.rpm",
    "a b",
    "nova;id",
    "$(id)",
    "(a or b)",
    "",
]


@pytest.mark.parametrize("name", _HOSTILE)
def test_what_is_no_name_never_reaches_dnf(name: str) -> None:
    with pytest.raises(InvalidInput):
        DNF.simulate([want(name, "1-1")], (), downgrade=False)
    with pytest.raises(InvalidInput):
        DNF.simulate([want("nova", f"1-{name}")], (), downgrade=False)
    with pytest.raises(InvalidInput):
        DNF.simulate([want("nova", "1-1", arch=name)], (), downgrade=False)


def test_a_version_without_release_is_no_exact_one() -> None:
    with pytest.raises(InvalidInput, match="no release"):
        DNF.simulate([want("nova", "1.0")], (), downgrade=False)


_VERSIONS = st.sampled_from(["1-1", "2-1", "1:1-1", "1.0~rc1-1"])
_NAMES = st.sampled_from(["a", "b", "c+"])
_PRESENT = st.lists(st.builds(package, _NAMES, _VERSIONS), max_size=5, unique_by=lambda one: (one.name, one.version))
_WANT = st.lists(st.builds(want, _NAMES, st.one_of(st.just(""), _VERSIONS)), max_size=3, unique_by=lambda one: one.name)


@given(_WANT, _PRESENT)
def test_the_moves_lead_from_what_stands_to_what_is_wanted(wanted: list[PackageWant], now: list[Package]) -> None:
    stands = {(one.key, one.version) for one in now}
    for move in dnf4.moves(wanted, now):
        gone, new = ({(move.name, one) for one in versions} for versions in (move.gone, move.new))
        assert gone <= stands and not new & stands
        stands = stands - gone | new
    after = [package(name.name, version) for name, version in sorted(stands)]
    assert differences(wanted, after) == ()
    untouched = {one.key for one in now} - {one.key for one in wanted}
    assert {(one.key, one.version) for one in now if one.key in untouched} <= stands
    assert all(sum(one.key == each.key for one in after) == bool(each.version) for each in wanted)
    assert dnf4.moves(wanted, after) == ()


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_word_for_dnf_is_a_package_and_nothing_else(name: str, version: str) -> None:
    try:
        word = nevra.in_words(name, version, "noarch")
    except InvalidInput:
        return
    assert re.fullmatch(r"[^\W_][\w.+-]*-[0-9A-Za-z._+~^:-]+\.noarch", word)


# ---------------------------------------------------------------------- several versions of one package


def test_which_of_several_versions_goes_counts() -> None:
    """dnf may be set to take the oldest kernel away: not the one that was meant."""
    now = [package("kernel", version) for version in ("3.1-1", "3.2-1")]
    wanted = [want("kernel", version) for version in ("3.1-1", "3.3-1")]
    meant, other = (
        PackageChange("kernel", "noarch", "3.2-1", "3.3-1"),
        PackageChange("kernel", "noarch", "3.1-1", "3.3-1"),
    )
    assert implied(wanted, now).changes == (meant,)
    assert surprises((meant,), (meant,), wanted, now) == ()
    assert len(surprises((other,), (meant,), wanted, now)) == 2
    assert differences(wanted, now) == ("kernel:noarch is 3.1-1, wanted 3.3-1", "kernel:noarch is 3.2-1 as well")


def test_a_kernel_that_comes_beside_another_takes_nothing_away() -> None:
    now, wanted = [package("kernel", "3.1-1")], [want("kernel", "3.1-1"), want("kernel", "3.2-1")]
    beside, instead = (
        PackageChange("kernel", "noarch", "", "3.2-1"),
        PackageChange("kernel", "noarch", "3.1-1", "3.2-1"),
    )
    assert implied(wanted, now).changes == (beside,)
    assert surprises((instead,), (beside,), wanted, now)


def test_the_newer_of_two_takes_the_older_ones_place_and_the_older_is_installed_again_later() -> None:
    now = [replace(package("nova", version), broken=True) for version in ("1-1", "2-1")]
    assert implied([want("nova", "2-1")], now).changes == (PackageChange("nova", "noarch", "1-1", "2-1"),)
    onward = DNF.change([want("nova", "2-1")], now, downgrade=False, wait=1)
    assert [rows(one) for one in onward if "replay" in one] == [
        {("Removed", "nova-1-1.noarch", "user"), ("Reinstall", "nova-2-1.noarch", "user")}
    ]
    assert implied([want("nova", "1-1")], now).changes == (PackageChange("nova", "noarch", "2-1", ""),)
    back = DNF.change([want("nova", "1-1")], now, downgrade=True, wait=1)
    assert [rows(one) for one in back if "replay" in one] == [
        {("Removed", "nova-2-1.noarch", "user")},
        {("Reinstall", "nova-1-1.noarch", "user")},
    ]
