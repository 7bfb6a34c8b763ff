"""Changes of rpm packages: what one transaction endangers, against a plain model that plays each order, and safe splits of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput, UnsafeOrder
from nornir_upgrade.core.packaging.arrangement import Arrangement, Simulation
from nornir_upgrade.core.packaging.dnf import arrangement, dnf4
from nornir_upgrade.core.packaging.dnf.family import DnfTransactions
from nornir_upgrade.core.packaging.dnf.transaction import LISTENER
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.packaging.rpm import check, split
from nornir_upgrade.core.packaging.rpm.dependencies import RpmPackage, control, rpm
from nornir_upgrade.core.packaging.rpm.transition import RpmProviders, RpmTransition, Slot, change, protected, stem
from nornir_upgrade.core.packaging.rpm.vital import concerned
from nornir_upgrade.core.transport.host import Result

ARCH = "x86_64"


def made(
    name: str, version: str, requires: Sequence[str] = (), provides: Sequence[str] = (), **more: str
) -> RpmPackage:
    """A package; `more` are further fields, a line each."""
    fields = {"Requires": requires, "Provides": provides, **{key.title(): (text,) for key, text in more.items()}}
    return rpm(name, ARCH, f"{version}-1", control(fields))


def libc(newest: int) -> RpmPackage:
    """A C library with symbol versions 2.34 to 2.`newest`."""
    versions = [f"libc.so.6(GLIBC_2.{number})(64bit)" for number in range(34, newest + 1)]
    return made("glibc", f"2.{newest}", [f"glibc-common = 2.{newest}-1"], ["libc.so.6()(64bit)", *versions])


def common(newest: int) -> RpmPackage:
    return made("glibc-common", f"2.{newest}", [f"glibc = 2.{newest}-1", needs(newest), "/usr/bin/bash"])


def needs(newest: int) -> str:
    return f"libc.so.6(GLIBC_2.{newest})(64bit)"


def world(newest: int, **programs: int) -> list[RpmPackage]:
    """A C library, and programs by the symbol version that they require."""
    built = [made(name, f"1.{needed}", [needs(needed)]) for name, needed in programs.items()]
    return [libc(newest), common(newest), *built]


def names(part: frozenset[Slot]) -> set[str]:
    return {slot.name for slot in part}


# ---------------------------------------------------------------------- what is known


def test_a_downgrade_has_the_users_of_a_library_first_and_the_library_after_them() -> None:
    way = change(world(38, bash=38, sudo=38, tar=34, nginx=38), world(34, bash=34, sudo=34, tar=34, nginx=34))
    faults = check.check(way)
    assert not check.safe(faults)
    assert {str(fault) for fault in faults if fault.rule == "broken"} == {
        f"{name}=1.38-1 may lack {needs(38)}" for name in ("bash", "sudo")
    }
    found = split.split(way)
    assert found.faults == ()
    assert [names(part) for part in found.parts] == [{"bash", "sudo", "nginx"}, {"glibc", "glibc-common"}]


@pytest.mark.parametrize(("old", "new"), [(34, 34), (38, 34)], ids=("same symbols", "more symbols than anybody uses"))
def test_what_one_transaction_can_do_stays_one(old: int, new: int) -> None:
    before, after = world(old, bash=34, sudo=34), world(new, bash=34, sudo=34)
    after = [made("bash", "0.9", [needs(34)]) if one.name == "bash" else one for one in after]
    assert len(split.split(change(before, after)).parts) == 1


def test_an_upgrade_stays_one_where_rpm_is_sure_to_install_the_library_first() -> None:
    after = [one for one in world(38, bash=38) if one.name != "glibc-common"]
    after[0] = made("glibc", "2.38", (), [one.name for one in libc(38).provides])
    before = [one for one in world(34, bash=34) if one.name != "glibc-common"]
    before[0] = made("glibc", "2.34", (), [one.name for one in libc(34).provides])
    assert check.check(change(before, after)) == ()


def test_an_upgrade_is_two_where_a_circle_lets_rpm_install_a_user_first() -> None:
    """glibc requires glibc-common, which requires a shell, which requires glibc."""
    before, after = world(34, bash=34), world(38, bash=38)
    shells = [one for one in before if one.name == "bash"], [one for one in after if one.name == "bash"]
    paths = [
        rpm(one.name, ARCH, one.version, control({"Requires": map(str, one.requires), "Files": ("/usr/bin/bash",)}))
        for (one,) in shells
    ]
    way = change([*before[:2], paths[0]], [*after[:2], paths[1]])
    assert [str(fault) for fault in check.check(way) if fault.rule == "broken"] == [f"bash=1.38-1 may lack {needs(38)}"]
    assert [names(part) for part in split.split(way).parts] == [{"glibc", "glibc-common"}, {"bash"}]


def test_a_library_under_a_new_name_leaves_its_old_file_to_old_users() -> None:
    """rpm erases only when all is installed."""
    before = [made("bash", "1", ["libx.so.1()(64bit)"]), made("libx", "1", (), ["libx.so.1()(64bit)"])]
    after = [made("bash", "2", ["libx.so.2()(64bit)"]), made("libx", "2", (), ["libx.so.2()(64bit)"])]
    assert check.check(change(before, after)) == ()
    assert check.check(change(after, before)) == ()


def test_a_renamed_library_takes_the_file_of_the_one_that_goes() -> None:
    before = [
        made("bash", "2", ["libx.so.1(V2)(64bit)"]),
        made("libx-new", "2", (), ["libx.so.1()(64bit)", "libx.so.1(V2)(64bit)"], obsoletes="libx < 2"),
    ]
    after = [made("bash", "1", ["libx.so.1()(64bit)"]), made("libx", "1", (), ["libx.so.1()(64bit)"])]
    assert [names(part) for part in split.split(change(before, after)).parts] == [{"bash"}, {"libx", "libx-new"}]


def test_packages_that_require_each_others_exact_version_are_a_gap() -> None:
    before, after = ([made("systemd", v, [f"systemd-libs = {v}-1"]), made("systemd-libs", v)] for v in "12")
    way = change(before, after)
    assert {fault.rule for fault in check.check(way)} == {"gap"}
    assert len(split.split(way).parts) == 1


def mutual(library: str, version: int) -> list[RpmPackage]:
    """A program and its library, of which neither can change without the other."""
    given_ = [f"libx.so.1(V{number})(64bit)" for number in range(1, version + 1)]
    program = made("sudo", str(version), [f"libx.so.1(V{version})(64bit)"])
    return [program, made(library, str(version), [f"sudo >= {version}"], given_)]


@pytest.mark.parametrize(("library", "refused"), [("libx", False), ("glibc", True)])
def test_what_can_only_change_together_is_a_gap_unless_nothing_starts_meanwhile(library: str, refused: bool) -> None:
    found = split.split(change(mutual(library, 2), mutual(library, 1)))
    lacking = (f"{library}=2-1 may lack sudo >= 2", "sudo=2-1 may lack libx.so.1(V2)(64bit)")
    assert (found.faults, found.gaps) == ((lacking, ()) if refused else ((), lacking))
    assert len(found.parts) == 1


def test_what_no_split_makes_safe_is_said() -> None:
    """An older shell that cannot stand beside the newer library that the newer shell needs."""
    before = world(38, bash=38)
    old = made("bash", "1.34", [needs(34)], conflicts="glibc >= 2.38")
    found = split.split(change(before, [*world(34), old]))
    assert found.faults == (f"bash=1.38-1 may lack {needs(38)}",)


def test_who_is_vital() -> None:
    way = change(world(38, bash=38, nginx=38), world(34, bash=34, nginx=34))
    assert names(protected(way)) == {"glibc", "glibc-common", "bash"}


@pytest.mark.parametrize(
    ("capability", "in_what"),
    [
        ("libc.so.6(GLIBC_2.38)(64bit)", "libc.so.6(64bit)"),
        ("libc.so.6()(64bit)", "libc.so.6(64bit)"),
        ("libc.so.6(GLIBC_2.38)", "libc.so.6"),
        ("python(abi)", "python(abi)"),
        ("bash", "bash"),
    ],
)
def test_what_a_capability_is_in(capability: str, in_what: str) -> None:
    assert stem(capability) == in_what


# ---------------------------------------------------------------------- a plain model

PROGRAMS, LIBRARIES = ("bash", "sudo"), ("libxcrypt", "zlib")


def capabilities(name: str, soname: int, newest: int) -> list[str]:
    file = f"{name}.so.{soname}"
    return [f"{file}()(64bit)", *(f"{file}(V{number})(64bit)" for number in range(1, newest + 1))]


@st.composite
def worlds(draw: st.DrawFn, *, exact: bool) -> RpmTransition:
    """Two worlds of vital programs and of libraries, each consistent; libraries may require whatever programs may."""
    sides = []
    for _ in range(2):
        built = {name: draw(st.integers(1, 3)) for name in (*PROGRAMS, *LIBRARIES)}
        given = {name: capabilities(name, draw(st.integers(1, 2)), built[name]) for name in LIBRARIES}
        side = []
        for name, version in built.items():
            asks = [draw(st.sampled_from(given[other])) for other in LIBRARIES if other != name and draw(st.booleans())]
            others = [one for one in built if one != name and exact and draw(st.integers(0, 3)) == 0]
            bounds = [f"{one} = {built[one]}-1" for one in others]
            side.append(made(name, str(version), [*asks, *bounds], given.get(name, ())))
        sides.append(side)
    return change(*sides)


def orders(way: RpmTransition) -> Iterator[tuple[Slot, ...]]:
    """Every order in which rpm may install: what is required is first, unless it requires the other as well."""
    due = sorted(way.changing)
    new = RpmProviders({slot: way.after[slot] for slot in due})
    needed = {
        slot: {one for demand in way.after[slot].requires for one in new.meeting(demand)} - {slot} for slot in due
    }
    reached = {slot: set(needed[slot]) for slot in due}
    for _ in due:
        for slot in due:
            reached[slot] |= {two for one in reached[slot] for two in reached[one]}
    for order in permutations(due):
        place = {slot: at for at, slot in enumerate(order)}
        if all(place[one] < place[slot] or slot in reached[one] for slot in due for one in needed[slot]):
            yield order


def moments(way: RpmTransition, order: Sequence[Slot]) -> Iterator[tuple[Mapping[Slot, RpmPackage], set[str]]]:
    """After each package: who is there, and what is on the disk, of which a file that came replaces one of the same name."""
    there = dict(way.before)
    disk: dict[str, set[str]] = {}
    for one in there.values():
        put(disk, one)
    for slot in order:
        there[slot] = way.after[slot]
        put(disk, there[slot])
        yield there, set().union(*disk.values())


def put(disk: dict[str, set[str]], one: RpmPackage) -> None:
    fresh: dict[str, set[str]] = {one.name: {f"{one.name} = {one.version}"}}
    for given_ in one.provides:
        fresh.setdefault(given_.name.partition("(")[0], set()).add(given_.name)
    disk.update(fresh)


def endangered(way: RpmTransition) -> bool:
    """Whether in some order somebody lacks something at some moment."""
    return any(
        not {str(demand) for demand in one.requires} <= disk
        for order in orders(way)
        for there, disk in moments(way, order)
        for one in there.values()
    )


@settings(max_examples=150, deadline=None)
@given(worlds(exact=True))
def test_the_checker_agrees_with_a_model_that_plays_every_order(way: RpmTransition) -> None:
    assert bool(check.check(way)) == endangered(way)


@settings(max_examples=150, deadline=None)
@given(worlds(exact=False))
def test_each_part_of_a_split_is_safe_in_every_order_and_what_stands_between_is_whole(way: RpmTransition) -> None:
    found = split.split(way)
    assert sorted(slot for part in found.parts for slot in part) == sorted(way.changing)
    if found.faults or found.gaps:
        return
    for stage in split.stages(way, found.parts):
        assert not endangered(stage)
        offers = RpmProviders(stage.after)
        assert all(offers.meeting(demand) for one in stage.after.values() for demand in one.requires)
    assert endangered(way) == (len(found.parts) > 1)


# ---------------------------------------------------------------------- a transaction of dnf

WANT = (
    PackageWant("glibc", ARCH, "2.34-1", "installed"),
    PackageWant("glibc-common", ARCH, "2.34-1", "installed"),
    PackageWant("bash", ARCH, "1.34-1", "installed"),
)
PRESENT = tuple(
    Package(one.name, one.arch, one.version.replace("34", "38"), "installed", "install", False) for one in WANT
)


def told(packages: Sequence[RpmPackage]) -> str:
    """The packages as the host tells them."""
    lines = []
    for one in packages:
        version, release = one.version.split("-")
        lines.append(f"N\t{one.name}\t0\t{version}\t{release}\t{one.arch}")
        lines += [f"R\t{demand}\t\t" for demand in one.requires]
        lines += [f"P\t{given_}\t\t" for given_ in one.provides]
        lines += [f"C\t{demand}\t\t" for demand in one.conflicts]
        lines.append("E")
    return "".join(f"{line}\n" for line in lines)


def simulated(before: Sequence[RpmPackage], come: Sequence[RpmPackage]) -> Simulation:
    plan = dnf4.rows(dnf4.handed(dnf4.Dnf().simulate(WANT, PRESENT, downgrade=True)))
    return Simulation(Result(0, b"", b""), f"{json.dumps(plan)}\n{told(before)}\n{told(come)}")


def test_a_split_is_several_replays_of_the_same_plan() -> None:
    simulation = simulated(world(38, bash=38), world(34, bash=34))
    way = arrangement.arrange("h", simulation)
    assert [sorted(part) for part in way.parts] == [
        ["bash-1.34-1.x86_64", "bash-1.38-1.x86_64"],
        ["glibc-2.34-1.x86_64", "glibc-2.38-1.x86_64", "glibc-common-2.34-1.x86_64", "glibc-common-2.38-1.x86_64"],
    ]
    change_ = dnf4.Dnf().change(WANT, PRESENT, downgrade=True, wait=3)
    whole = DnfTransactions().commands(change_, ("nova-api",), Arrangement())
    apart = DnfTransactions().commands(change_, ("nova-api",), way)
    assert len(apart) == len(whole) + 1 and apart[2:] == whole[1:]
    plans = [json.loads(dnf4.handed(one))["rpms"] for one in apart[:2]]
    assert [{row["nevra"] for row in rows} for rows in plans] == [set(part) for part in way.parts]
    assert sorted(map(str, plans[0] + plans[1])) == sorted(map(str, json.loads(dnf4.handed(whole[0]))["rpms"]))


def test_one_transaction_stays_as_it_is() -> None:
    assert arrangement.arrange("h", simulated(world(38, bash=34), world(34, bash=34))) == Arrangement()
    assert arrangement.arrange("h", Simulation(Result(0, b"", b""))) == Arrangement()


def test_what_no_transactions_make_safe_is_refused() -> None:
    old = made("bash", "1.34", [needs(34)], conflicts="glibc >= 2.38")
    with pytest.raises(UnsafeOrder, match=r"h: no order of transactions keeps this host usable: bash=1\.38-1 may lack"):
        arrangement.arrange("h", simulated(world(38, bash=38), [*world(34), old]))


def test_a_list_that_was_cut_off_is_refused() -> None:
    whole = simulated(world(38, bash=38), world(34, bash=34))
    for text in (whole.question.partition("\n\n")[0], whole.question[:-3]):
        with pytest.raises(InvalidInput):
            arrangement.arrange("h", Simulation(whole.result, text))


def test_a_transaction_that_exchanges_sshd_has_its_listener_load_itself_again() -> None:
    changed = [Package(one, ARCH, "9-1", "installed", "install", False) for one in ("openssh-server", "nova")]
    plain, exchanged = (
        DnfTransactions().commands(
            dnf4.Dnf().change([PackageWant(one.name, ARCH, "10-1", "installed")], [one], downgrade=False, wait=1),
            (),
            Arrangement(),
        )[0]
        for one in changed[::-1]
    )
    assert LISTENER not in plain and LISTENER in exchanged
    assert dnf4.comes(dnf4.handed(exchanged)) == {"openssh-server"}


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("glibc", True),
        ("libnew", True),
        ("openssl-libs", True),
        ("python-nova", False),
        ("bash-completion", False),
        ("nova-api", False),
    ],
)
def test_which_names_may_concern_the_vital_set(name: str, may: bool) -> None:
    assert concerned([name]) is may
