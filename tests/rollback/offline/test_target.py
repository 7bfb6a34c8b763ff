"""The way back without a machine: every installed package once, and what is said of those that cannot go."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput, NoSolution, UnknownName, Unobtainable
from rollback.manifest import commands
from rollback.manifest.model import Change, Manifest, require_solved
from rollback.offline import formats
from rollback.offline import target as offline
from rollback.offline.offers import Offers, collect, from_policy, goes_by, installed_versions
from rollback.offline.target import Target, rename, way_back
from rollback.packaging.candidate import Offer
from rollback.packaging.listing import Listed, Listing
from rollback.packaging.text import Note
from tests.rollback import guide
from tests.rollback.rendered import case, text

OLD, NEW = ("srv", "old", "main"), ("srv", "new", "main")


def listed(*packages: str, family: str = "deb") -> Listing:
    """`name[:arch][=version][!]` each; `!` is a hold."""
    found = []
    for line, word in enumerate(packages, 1):
        rest, _, version = word.removesuffix("!").partition("=")
        name, _, arch = rest.partition(":")
        found.append(Listed(line, name, arch, version, word.endswith("!")))
    return Listing("list", family, tuple(found))  # type: ignore[arg-type]


def offering(*words: str, family: str = "deb") -> Offers:
    """`name[:arch]=version@label`"""
    offers = []
    for word in words:
        rest, _, label = word.partition("@")
        name, _, version = rest.partition("=")
        name, _, arch = name.partition(":")
        offers.append(Offer(name, arch, version, f"archive {label}", ("srv", label, "main")))
    return collect(offers, family, "amd64")  # type: ignore[arg-type]


def back(installed: Listing, offers: Offers, aim: Target) -> dict[str, Change]:
    manifest = way_back("box", installed, offers, aim)
    assert sorted(one.name for one in manifest.changes if one.installed or one.action != "install")
    return {change.name: change for change in manifest.changes}


def computed(policy: str, *, renames: Iterable[str] = ("neutron=quantum",)) -> Manifest:
    found = formats.policy(text(policy))
    offers = collect(from_policy(found), "deb", "amd64")
    installed = formats.listing(text((guide.CASES / "selections.txt").read_text()))
    known = offline.completed(installed, installed_versions(found), offers)
    return way_back("ctl", known, offers, Target("grizzly", renames=tuple(rename(one) for one in renames)))


# ---------------------------------------------------------------------- the operations guide


def test_the_guides_selections_give_its_pairs_and_account_for_all() -> None:
    manifest = computed(guide.policy())
    assert "\n".join((*commands.words(manifest, "amd64"), "")) == guide.PAIRS
    assert [change.name for change in manifest.changes] == sorted(guide.NAMES)
    (problem,) = manifest.problems
    assert (problem.rule, problem.packages) == ("unobtainable", ("python-keystone", "python-keystoneclient"))
    assert {name: count for name, count in manifest.counts.items() if count} == {
        "downgrade": 22,
        "rename": 10,
        "unobtainable": 2,
    }


@pytest.mark.parametrize("lost", sorted(guide.OLD))
def test_a_package_without_an_old_version_is_named_and_never_glued_to_its_neighbour(lost: str) -> None:
    manifest = computed(guide.policy(without=lost))
    rest = [pair for pair in guide.PAIRS.splitlines() if not pair.startswith(f"{lost}=")]
    assert list(commands.words(manifest, "amd64")) == rest
    assert len(manifest.changes) == 34
    assert lost.replace("quantum", "neutron") in manifest.problems[0].packages


def test_without_the_rename_the_renamed_ones_are_named_too() -> None:
    manifest = computed(guide.policy(), renames=())
    assert manifest.counts["unobtainable"] == 12
    assert "no neutron-common from grizzly: offered are only 1:2013.2-0ubuntu1~cloud0" in manifest.problems[0].text


def test_a_problem_keeps_the_exit_code_of_what_cannot_be_had() -> None:
    with pytest.raises(Unobtainable, match="python-keystoneclient"):
        require_solved((computed(guide.policy()),))


# ---------------------------------------------------------------------- a release


@pytest.mark.parametrize(
    ("labels", "name", "meant"),
    [
        (("ubuntu", "precise-updates", "grizzly", "main"), "grizzly", True),
        (("ubuntu", "precise-updates", "grizzly", "main"), "precise-updates/grizzly", True),
        (("ubuntu", "precise-updates", "grizzly", "main"), "precise-updates/main", False),
        (("debian", "bookworm-backports", "main"), "bookworm", False),
        (("debian", "bookworm", "main"), "main", True),
        ((), "main", False),
    ],
)
def test_a_release_is_meant_by_whole_names(labels: tuple[str, ...], name: str, meant: bool) -> None:
    assert goes_by(labels, name) is meant


def test_the_newest_version_of_the_release_counts_and_not_that_of_others() -> None:
    offers = offering("nova=1.9@old", "nova=1.10@old", "nova=1.0@old", "nova=3@new")
    change = back(listed("nova=3"), offers, Target("old"))["nova"]
    assert (change.action, change.target, change.origin) == ("downgrade", "1.10", "archive old")


def test_what_is_there_stays_what_is_held_stays_and_what_is_older_goes_up() -> None:
    offers = offering("a=1@old", "b=1@old", "c=2@old", "a=2@new")
    found = back(listed("a=1", "b=3!", "c=1"), offers, Target("old"))
    assert {name: change.action for name, change in found.items()} == {"a": "keep", "b": "held", "c": "upgrade"}
    assert found["b"].target == "3"


def test_foreign_architectures_keep_to_themselves() -> None:
    offers = offering("lib=1@old", "lib:i386=0.9@old", "all:all=1@old", "lib=2@new")
    manifest = way_back("box", listed("lib:amd64=2", "lib:i386=2", "all:amd64=2"), offers, Target("old"))
    assert commands.words(manifest, "amd64") == ("all=1", "lib:i386=0.9", "lib=1")


def test_a_name_that_no_repository_goes_by_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownName) as refused:
        way_back("box", listed("a=1"), offering("a=1@old"), Target("grizzly"))
    assert refused.value.hint == "there is: main, old, srv"


def test_only_narrows_and_still_accounts_for_the_rest() -> None:
    found = back(
        listed("nova-api=2", "bash=2"), offering("nova-api=1@old", "bash=1@old"), Target("old", only=("nova*",))
    )
    assert {name: change.action for name, change in found.items()} == {"nova-api": "downgrade", "bash": "keep"}


def test_two_packages_never_come_back_as_one() -> None:
    offers = offering("quantum-common=1@old")
    renames = (rename("neutron=quantum"),)
    found = back(listed("neutron-common=2", "quantum-common=2"), offers, Target("old", renames=renames))
    assert {name: change.action for name, change in found.items()} == {
        "neutron-common": "remove",
        "quantum-common": "downgrade",
    }


def test_a_package_that_must_be_unpacked_again_does_not_stay() -> None:
    broken = Listing(
        "list", "deb", (Listed(1, "a", "", "1", trouble="half-installed"), Listed(2, "b", "", "1", trouble="unpacked"))
    )
    found = back(broken, offering("a=1@old", "b=1@old"), Target("old"))
    assert {name: change.action for name, change in found.items()} == {"a": "install", "b": "keep"}


@pytest.mark.parametrize("word", ["neutron", "=quantum", "neutron=", "a=b=c", "a=b c", "a=-o Dpkg::x", "a/b=c", "a=*"])
def test_a_rename_is_two_parts_of_names(word: str) -> None:
    with pytest.raises(InvalidInput):
        rename(word)


# ---------------------------------------------------------------------- an older list


def test_an_older_list_says_what_comes_back_and_what_goes() -> None:
    target = listed("a=1", "b=1", "gone=1", "lost=9")
    offers = offering("a=1@old", "b=1@old", "gone=1@old", "a=2@new")
    found = back(listed("a=2", "b=1", "new=2"), offers, Target(target=target))
    assert {name: change.action for name, change in found.items()} == {
        "a": "downgrade",
        "b": "keep",
        "gone": "install",
        "lost": "unobtainable",
        "new": "remove",
    }
    assert found["new"].target == ""


def test_a_list_without_versions_needs_the_release_for_them() -> None:
    found = back(
        listed("a=2", "new=2"), offering("a=1@old", "gone=1@old", "a=2@new"), Target("old", target=listed("a", "gone"))
    )
    assert {name: (change.action, change.target) for name, change in found.items()} == {
        "a": ("downgrade", "1"),
        "gone": ("install", "1"),
        "new": ("remove", ""),
    }


def test_an_older_list_with_a_rename() -> None:
    aim = Target(target=listed("quantum-server=1"), renames=(rename("neutron=quantum"),))
    found = back(listed("neutron-server=2"), offering("quantum-server=1@old"), aim)
    assert (found["neutron-server"].action, found["neutron-server"].target_name) == ("rename", "quantum-server")


# ---------------------------------------------------------------------- rpm


def test_rpm_epochs_come_from_what_is_on_offer_and_kernels_are_left_alone() -> None:
    policy = formats.policy(case("dnf_list.txt"))
    offers = collect(from_policy(policy), "rpm", "amd64")
    installed = offline.completed(formats.listing(case("rpm_plain.txt")), installed_versions(policy), offers)
    manifest = way_back("box", installed, offers, Target("base"))
    assert {(one.name, one.action, one.target) for one in manifest.changes if one.action != "keep"} == {
        ("docker-ce", "upgrade", "3:24.0.7-1.el9"),
        ("glibc", "upgrade", "2.34-83"),
    }
    assert [one.installed for one in manifest.changes if one.name == "kernel-core"] == [
        "5.14.0-362.8.1.el9",
        "5.14.0-427.13.1.el9",
    ]
    assert commands.of_list(manifest, "dnf", "") == (
        "dnf -y install --allowerasing docker-ce-3:24.0.7-1.el9.x86_64 glibc-2.34-83.x86_64",
    )


def test_the_epoch_of_what_the_policy_calls_installed_counts_before_others() -> None:
    plain = Listing("list", "rpm", (Listed(1, "a", "noarch", "1-1", epoch_told=False),))
    offers = offering("a:noarch=1:1-1@old", "a:noarch=2:1-1@new", family="rpm")
    (told,) = offline.completed(plain, [("a", "noarch", "2:1-1")], offers)
    (untold,) = offline.completed(plain, [], offers)
    assert (told.version, untold.version) == ("2:1-1", "1-1")


def test_kernels_of_an_older_list_are_matched_version_by_version() -> None:
    offers = offering("kernel:x86_64=1-1@old", family="rpm")
    target = listed("kernel:x86_64=1-1", "kernel:x86_64=2-1", family="rpm")
    manifest = way_back(
        "box", listed("kernel:x86_64=2-1", "kernel:x86_64=3-1", family="rpm"), offers, Target(target=target)
    )
    assert {(one.installed, one.action, one.target) for one in manifest.changes} == {
        ("", "install", "1-1"),
        ("2-1", "keep", "2-1"),
        ("3-1", "remove", ""),
    }
    assert commands.of_list(manifest, "dnf", "")[1] == "dnf -y remove kernel-3-1.x86_64"


def test_duplicates_and_unread_lines_are_problems_of_their_own() -> None:
    twice = listed("yum:noarch=1-1", "yum:noarch=2-1", family="rpm")
    broken = Listing("list", "rpm", twice.packages, unread=(Note(7, "what is this"),))
    manifest = way_back("box", broken, offering("yum:noarch=1-1@old", family="rpm"), Target("old"))
    assert [problem.rule for problem in manifest.problems] == ["duplicate", "unread"]
    assert len(manifest.changes) == 2
    with pytest.raises(NoSolution, match="line 7: what is this"):
        require_solved((manifest,))


# ---------------------------------------------------------------------- commands


def test_apt_gets_one_command_in_which_nothing_but_packages_is_named() -> None:
    renames = (rename("neutron=quantum"),)
    offers = offering("quantum-api=1@old", "memtest86+=1@old", "lib:i386=1@old")
    manifest = way_back(
        "box", listed("neutron-api=2", "memtest86+=2", "lib:i386=2"), offers, Target("old", renames=renames)
    )
    (command,) = commands.of_list(manifest, "apt", "amd64")
    assert command.startswith("apt-get -y -q ")
    assert command.split(" install -- ")[1].split() == [
        "lib:i386=1",
        "memtest86+:amd64=1",
        "neutron-api-",
        "quantum-api=1",
    ]


def test_commands_are_of_the_family_of_the_packages() -> None:
    manifest = way_back("box", listed("a=2"), offering("a=1@old"), Target("old"))
    with pytest.raises(InvalidInput, match="dnf cannot"):
        commands.of_list(manifest, "dnf", "")


def test_nothing_to_do_is_no_command() -> None:
    manifest = way_back("box", listed("a=1"), offering("a=1@old"), Target("old"))
    assert (commands.words(manifest, "amd64"), commands.of_list(manifest, "apt", "amd64")) == ((), ())


# ---------------------------------------------------------------------- laws

NAMES = st.sampled_from(["a1", "b1", "neutron-x", "quantum-x", "quantum-y", "neutron-y"])
ROWS = st.lists(st.tuples(NAMES, st.sampled_from(["1", "2", "3", ""])), unique_by=lambda row: row[0], max_size=6)
OFFERED = st.lists(st.tuples(NAMES, st.sampled_from(["1", "2"]), st.sampled_from(["old", "new"])), max_size=10)


@given(ROWS, OFFERED, st.none() | ROWS, st.sampled_from([(), ("neutron=quantum",)]))
def test_every_package_is_accounted_for_once(
    rows: list[tuple[str, str]],
    offered: list[tuple[str, str, str]],
    older: list[tuple[str, str]] | None,
    renames: tuple[str, ...],
) -> None:
    installed = listed(*(f"{name}={version}" for name, version in rows))
    target = None if older is None else listed(*(f"{name}={version}" for name, version in older))
    offers = offering("anchor=1@old", *(f"{name}={version}@{label}" for name, version, label in offered))
    manifest = way_back("box", installed, offers, Target("old", target, tuple(rename(one) for one in renames)))
    names = [change.name for change in manifest.changes]
    assert len(names) == len(set(names))
    assert {name for name, _ in rows} <= set(names)
    assert set(names) <= {name for name, _ in rows} | {name for name, _ in older or ()}
    lost = {change.name for change in manifest.changes if change.action == "unobtainable"}
    assert lost == {name for problem in manifest.problems for name in problem.packages}
    coming = [(one.target_name, one.arch) for one in manifest.changes if one.action not in ("remove", "unobtainable")]
    assert len(coming) == len(set(coming))
    for word in commands.words(manifest, "amd64"):
        name, _, version = word.partition("=")
        assert word.endswith("-") or (name, version) in {(one, number) for one, number, _ in offered}
