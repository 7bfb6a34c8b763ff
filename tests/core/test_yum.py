"""yum 3: what is said to it, and what it says. Its output is after its source and laid out as in transcripts of CentOS 7; it did
not run here. A stand-in in its place is told what to say.
"""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core import dnf, dnf_locks, yum
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packages import Package, PackageChange, PackageManager, PackageWant, implied
from nornir_upgrade.steps.packages import surprises

from .test_dnf import _HOSTILE, package, want

CASES = Path(__file__).parent.parent / "cases" / "yum"
YUM: PackageManager = yum.Yum()
LONG = "openstack-nova-novncproxy-with-a-name-that-no-column-of-yum-holds"
HAVANA = (
    package("libvirt", "1:1.1.3-1.el6"),
    package(LONG, "2013.2.1-1.el6"),
    package("openstack-quantum", "2013.2-3.el6"),
    package("python-nova", "2013.2.1-1.el6"),
)
ICEHOUSE = (
    package("libvirt", "1:1.2.0-1.el7"),
    package(LONG, "2014.1-1.el7"),
    package("openstack-neutron", "2014.1-11.el7"),
    Package("python-nova", "noarch", "2013.2.1-1.el6", "installed", "install", False, broken=True),
)
BACK = (*(want(one.name, one.version) for one in HAVANA), want("openstack-neutron"))
SCRIPT = f"""\
downgrade libvirt-1:1.1.3-1.el6.noarch
downgrade {LONG}-2013.2.1-1.el6.noarch
install openstack-quantum-2013.2-3.el6.noarch
reinstall python-nova-2013.2.1-1.el6.noarch
remove openstack-neutron-2014.1-11.el7.noarch
run
"""


def case(name: str) -> str:
    return (CASES / f"{name}.txt").read_text()


def script(argv: tuple[str, ...]) -> str:
    return next(word for word in argv[3:] if word.endswith("run\n"))


# ---------------------------------------------------------------------- the list of packages


def test_the_list_of_packages_is_read_with_marks_locks_and_what_was_left_halfway() -> None:
    found = YUM.parse_query(case("query"))
    assert [one.name for one in found] == sorted(one.name for one in found)
    assert {one.name for one in found if one.auto} == {"agent", "python-nova"}
    assert {one.name for one in found if one.hold} == {"openstack-nova-common"}
    assert {one.name for one in found if one.broken} == {"libvirt", "openstack-neutron"}, (
        "the last one done, and what followed"
    )
    assert [one.version for one in found if one.name == "kernel"] == ["3.10.0-862.el7", "3.10.0-957.el7"]


@pytest.mark.parametrize(
    "line",
    [
        "/var/lib/yum/yumdb/p/python-nova/reason user",
        "/var/lib/yum/transaction-all.1 install",
        "find: '/var/lib/yum/yumdb': Permission denied",
    ],
)
def test_what_yum_does_not_remember_is_refused(line: str) -> None:
    text = case("query").replace("/var/lib/yum/yumdb/p/", f"{line}\n/var/lib/yum/yumdb/p/", 1)
    with pytest.raises(InvalidInput, match=r"line 19: why: not understood"):
        YUM.parse_query(text)


def test_what_yum_remembers_is_found_in_its_files(tmp_path: Path) -> None:
    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def told() -> str:
        text = yum.REMEMBERED.replace("/var/lib/yum", str(tmp_path / "yum"))
        return subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True).stdout

    assert told() == "", "a host where yum never ran"
    write("yum/history/reason", "dep")
    assert told() == ""
    write("yum/yumdb/n/0af-nova-1-1-noarch/reason", "dep")
    write("yum/yumdb/n/1af-neutron-1-1-noarch/reason", "user")
    write("yum/yumdb/n/1af-neutron-1-1-noarch/installed_by", "dep")
    write("yum/transaction-all.2014-05-06.10:11.12", "install 0:a-1-1.noarch\nerase 0:b-1-1.noarch\n")
    write("yum/transaction-done.2014-05-06.10:11.12", "")
    write("yum/transaction-all.2013-05-06.10:11.12.disabled", "install 0:c-1-1.noarch\n")
    assert sorted(told().replace(str(tmp_path), "").splitlines()) == [
        "/yum/transaction-all.2014-05-06.10:11.12 erase 0:b-1-1.noarch",
        "/yum/transaction-all.2014-05-06.10:11.12 install 0:a-1-1.noarch",
        "/yum/yumdb/n/0af-nova-1-1-noarch/reason dep",
    ]


@pytest.mark.parametrize(
    "lock, holds",
    [
        ("2:nova-1.0-1.*", True),
        ("2:Nova-1.0-1.noarch", True),
        ("nova-1.0-1.*", False),
        ("2:nova-1.1-1.*", False),
        ("!2:nova-1.0-1.*", False),
        ("# 2:nova-1.0-1.*", False),
        ("*:nova-1.0-1.*", False),
    ],
)
def test_a_line_of_yums_lock_list_holds_the_version_that_it_names(lock: str, holds: bool) -> None:
    assert dnf_locks.parse_yum(f"\n{lock}\n")(package("nova", "2:1.0-1")) is holds


def test_no_epoch_in_a_lock_is_epoch_0() -> None:
    for lock in ("nova-1.0-1.*", "0:nova-1.0-1.*"):
        assert dnf_locks.parse_yum(lock)(package("nova", "1.0-1"))


# ---------------------------------------------------------------------- the table


def test_the_table_of_the_way_back_is_what_was_wanted() -> None:
    said = YUM.parse_simulation(case("downgrade"), ICEHOUSE).changes
    assert PackageChange("libvirt", "noarch", "1:1.2.0-1.el7", "1:1.1.3-1.el6") in said
    assert PackageChange(LONG, "noarch", "2014.1-1.el7", "2013.2.1-1.el6") in said
    assert surprises(said, implied(BACK, ICEHOUSE).changes, BACK, ICEHOUSE) == ()


def test_what_comes_along_and_what_is_replaced_is_told() -> None:
    said = YUM.parse_simulation(case("upgrade"), (*HAVANA, package("kernel", "3.10.0-862.el7", "x86_64"))).changes
    assert said == (
        PackageChange("kernel", "x86_64", "", "3.10.0-957.el7"),
        PackageChange("libvirt", "noarch", "1:1.1.3-1.el6", "1:1.2.0-1.el7"),
        PackageChange("openstack-neutron", "noarch", "", "2014.1-11.el7"),
        PackageChange(LONG, "noarch", "2013.2.1-1.el6", "2014.1-1.el7"),
        PackageChange("openstack-quantum", "noarch", "2013.2-3.el6", ""),
        PackageChange("python-nova", "noarch", "2013.2.1-1.el6", "2014.1-1.el7"),
        PackageChange("python-oslo-messaging", "noarch", "", "1.3.0-1.el7"),
    )


def test_what_depends_on_what_goes_is_a_surprise() -> None:
    now = (package("python-nova", "2014.1-1.el7"), package("openstack-nova-common", "2014.1-1.el7"))
    gone = (want("python-nova"),)
    said = YUM.parse_simulation(case("remove_dependent"), now).changes
    assert surprises(said, implied(gone, now).changes, gone, now) == (
        "would also change openstack-nova-common:noarch 2014.1-1.el7 -> (none)",
    )


def test_what_is_not_to_be_had_is_missed() -> None:
    now = (HAVANA[0], package("agent", "1-1"))
    wanted = (want("libvirt", "1:1.2.0-1.el7"), want("agent", "9-9"))
    said = YUM.parse_simulation(case("missing"), now).changes
    assert surprises(said, implied(wanted, now).changes, wanted, now) == ("would not change agent:noarch 1-1 -> 9-9",)


@pytest.mark.parametrize("heading", ["Skipped (dependency problems):", "Not available:", "Mise à jour:"])
def test_a_heading_that_says_something_else_is_refused(heading: str) -> None:
    with pytest.raises(InvalidInput, match="not understood"):
        YUM.parse_simulation(case("upgrade").replace("Updating:", heading), HAVANA)


def test_a_table_that_is_cut_off_behind_its_header_is_refused() -> None:
    text = case("downgrade")
    with pytest.raises(InvalidInput, match="cut off"):
        YUM.parse_simulation(text[: text.index("Installing:")], ICEHOUSE)


# ---------------------------------------------------------------------- commands


def test_the_way_back_is_one_script_with_every_removal_named() -> None:
    asked = YUM.simulate(BACK, ICEHOUSE, downgrade=True)
    done, *marks = YUM.change(BACK, ICEHOUSE, downgrade=True, wait=7)
    assert script(asked) == script(done) == SCRIPT
    assert done[done.index("yum") :] == asked[asked.index("yum") :] == ("yum", *yum.OPTIONS)
    assert done[4] == "7"
    moved = tuple(
        line.split()[1] for line in SCRIPT.splitlines() if line.startswith(("downgrade", "install", "reinstall"))
    )
    assert marks == [("yumdb", "set", "reason", "user", *moved), ("yum-complete-transaction", "--cleanup-only")]


def test_no_epoch_is_expected_in_the_table_where_it_is_0() -> None:
    wanted = [want("nova", "0:2-1"), want("libvirt", "1:2-1")]
    done = YUM.change(wanted, [package("nova", "1-1")], downgrade=False, wait=1)[0]
    assert done[6] == "nova noarch 2-1\nlibvirt noarch 1:2-1"


def test_of_what_stands_in_several_versions_each_is_told() -> None:
    kernels = [package("kernel", version, "x86_64") for version in ("3.1-1", "3.2-1")]
    wanted = [want("kernel", version, arch="x86_64") for version in ("3.1-1", "3.3-1")]
    assert script(YUM.simulate(wanted, kernels, downgrade=False)) == (
        "remove kernel-3.2-1.x86_64\ninstall kernel-3.3-1.x86_64\nrun\n"
    )


def test_the_older_of_two_gets_its_files_again_in_a_second_transaction() -> None:
    now = [Package("nova", "noarch", one, "installed", "install", False, broken=True) for one in ("1-1", "2-1")]
    first, second, *_ = YUM.change([want("nova", "1-1")], now, downgrade=True, wait=1)
    assert (script(first), script(second)) == ("remove nova-2-1.noarch\nrun\n", "reinstall nova-1-1.noarch\nrun\n")


def test_where_nothing_moves_yum_is_not_asked() -> None:
    now = [package("nova", "1-1")]
    assert YUM.simulate([want("nova", "1-1")], now, downgrade=False) == ("true",)
    assert YUM.parse_simulation("", now).changes == ()
    assert YUM.change([want("nova", "1-1")], now, downgrade=False, wait=1) == ()
    assert YUM.change([want("nova", "1-1", auto=True)], now, downgrade=False, wait=1) == (
        ("yumdb", "set", "reason", "dep", "nova-1-1.noarch"),
    )


def test_a_lock_gives_way_only_where_it_must() -> None:
    held = [package("nova", "1.0-1", hold=True)]
    assert YUM.change([want("nova", "1.0-1", hold=True)], held, downgrade=False, wait=1) == ()
    moved, _, *locks = YUM.change([want("nova", "2.0-1", hold=True)], held, downgrade=False, wait=1)
    assert moved[-1] == "--disableplugin=versionlock"
    assert locks == [
        ("yum", *yum.OPTIONS, "versionlock", "delete", "nova"),
        ("yum", *yum.OPTIONS, "versionlock", "add", "nova-2.0-1.noarch"),
    ]


def test_yum_is_made_to_ask_wherever_it_is_told_to_say_no() -> None:
    """yum.conf(5): `assumeno` is subject to `alwaysprompt`, without which yum may do unasked what was named exactly."""
    for argv in (YUM.simulate(BACK, ICEHOUSE, downgrade=True), YUM.change(BACK, ICEHOUSE, downgrade=True, wait=1)[0]):
        assert "--setopt=alwaysprompt=True" in argv and "--assumeno" in argv[2]


def test_no_option_weakens_a_check() -> None:
    words = " ".join(YUM.change(BACK, ICEHOUSE, downgrade=True, wait=1)[0])
    assert not re.search(r"gpgcheck|skip-broken|skip_broken=True|tolerant|protected", words)


@pytest.mark.parametrize("name", _HOSTILE)
def test_what_is_no_name_never_reaches_yum(name: str) -> None:
    for wanted in (want(name, "1-1"), want("nova", f"1-{name}"), want("nova", "1-1", arch=name), want("nova", "1.0")):
        with pytest.raises(InvalidInput):
            YUM.simulate([wanted], (), downgrade=False)
        with pytest.raises(InvalidInput):
            YUM.change([wanted], (), downgrade=False, wait=1)


_VERSIONS = st.sampled_from(["1-1", "2-1", "1:1-1"])
_NAMES = st.sampled_from(["a", "b"])
_PRESENT = st.lists(st.builds(package, _NAMES, _VERSIONS), max_size=4, unique_by=lambda one: (one.name, one.version))
_WANT = st.lists(st.builds(want, _NAMES, st.one_of(st.just(""), _VERSIONS)), max_size=2, unique_by=lambda one: one.name)


@given(_WANT, _PRESENT)
def test_the_script_names_all_that_moves_and_nothing_else(wanted: list[PackageWant], now: list[Package]) -> None:
    every = dnf.moves(wanted, now)
    argv = YUM.simulate(wanted, now, downgrade=True)
    lines = script(argv).splitlines()[:-1] if every else []
    told = {tuple(line.split()) for line in lines}
    assert len(told) == len(lines)
    for move in every:
        comes = {dnf.full_name(move.name, one) for one in move.new}
        goes = {dnf.full_name(move.name, one) for one in move.gone}
        assert comes <= {full for verb, full in told if verb in ("install", "downgrade")}
        replaced = len(comes) == len(goes) == 1 and sum(one.key == move.name for one in now) == 1
        assert replaced or goes <= {full for verb, full in told if verb == "remove"}
    assert {full for _, full in told} <= {
        dnf.full_name(move.name, one) for move in every for one in (*move.gone, *move.new)
    }


# ---------------------------------------------------------------------- the scripts around a call of yum

STAND_IN = """\
#!/bin/sh
echo "$*" >> calls
for script; do :; done
[ -f "$script" ] && cat "$script" > read
[ "$(wc -l < calls)" -gt {locked} ] || {{ cat {cases}/locked.txt; exit 1; }}
case "$*" in
*--assumeno*) cat {cases}/{said}.txt; exit {refused} ;;
esac
exit {status}
"""


def ended(
    directory: Path, argv: tuple[str, ...], said: str, *, status: int = 0, locked: int = 0, refused: int = 1
) -> subprocess.CompletedProcess[str]:
    stand_in = directory / "yum"
    stand_in.write_text(STAND_IN.format(cases=CASES, said=said, status=status, locked=locked, refused=refused))
    stand_in.chmod(0o755)
    environment = {"PATH": f"{directory}:{os.environ['PATH']}", "TMPDIR": str(directory)}
    return subprocess.run(argv, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def calls(directory: Path) -> list[str]:
    return [
        next(word for word in line.split() if word in ("-y", "--assumeno")) for line in (directory / "calls").open()
    ]


@pytest.mark.parametrize(
    "said, expected", [("downgrade", 0), ("missing", 0), ("remove_dependent", 0), ("locked", 1), ("unsolvable", 1)]
)
@pytest.mark.parametrize("refused", [0, 1])
def test_a_simulation_ends_well_only_where_yum_was_told_no(
    tmp_path: Path, said: str, expected: int, refused: int
) -> None:
    result = ended(tmp_path, YUM.simulate(BACK, ICEHOUSE, downgrade=True), said, refused=refused)
    assert (result.returncode, result.stdout) == (expected, case(said))
    assert (tmp_path / "read").read_text() == SCRIPT
    assert calls(tmp_path) == ["--assumeno"]
    assert not list(tmp_path.glob("tmp.*")), "its script is gone"


@pytest.mark.parametrize("status", [0, 1])
def test_a_change_is_done_where_yum_would_do_that_and_nothing_else(tmp_path: Path, status: int) -> None:
    result = ended(tmp_path, YUM.change(BACK, ICEHOUSE, downgrade=True, wait=0)[0], "downgrade", status=status)
    assert result.returncode == status, result.stderr
    assert calls(tmp_path) == ["--assumeno", "-y"]
    assert (tmp_path / "read").read_text() == SCRIPT
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.parametrize("said", ["upgrade", "missing", "remove_dependent", "unsolvable"])
def test_nothing_is_done_where_yum_would_do_something_else(tmp_path: Path, said: str) -> None:
    result = ended(tmp_path, YUM.change(BACK, ICEHOUSE, downgrade=True, wait=3)[0], said)
    assert result.returncode == 1
    assert result.stderr.startswith(case(said).rstrip("\n"))
    assert calls(tmp_path) == ["--assumeno"]


def test_one_row_more_or_less_is_something_else(tmp_path: Path) -> None:
    for left_out in range(len(BACK)):
        wanted = [one for number, one in enumerate(BACK) if number != left_out]
        assert ended(tmp_path, YUM.change(wanted, ICEHOUSE, downgrade=True, wait=0)[0], "downgrade").returncode == 1
    more = [*BACK, want("agent", "1-1")]
    assert ended(tmp_path, YUM.change(more, ICEHOUSE, downgrade=True, wait=0)[0], "downgrade").returncode == 1
    assert set(calls(tmp_path)) == {"--assumeno"}


@pytest.mark.parametrize("locked, wait, expected", [(1, 2, 0), (9, 1, 1), (1, 0, 1)])
def test_a_change_waits_for_a_lock_as_long_as_it_may(tmp_path: Path, locked: int, wait: int, expected: int) -> None:
    begun = time.monotonic()
    result = ended(tmp_path, YUM.change(BACK, ICEHOUSE, downgrade=True, wait=wait)[0], "downgrade", locked=locked)
    assert result.returncode == expected
    assert time.monotonic() - begun >= min(locked, wait)
    assert ("exit_on_lock" in result.stderr) == bool(expected)
