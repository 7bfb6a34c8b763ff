"""The way to a release, held against what the packages demand: what can stand is taken as it is, the rest as near as can be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.packaging.deb.dependencies import DebPackage
from rollback.manifest.model import Manifest
from rollback.offline.consistency import Checked, checked_way
from rollback.offline.offers import Offers, collect
from rollback.offline.target import Rename, Target, way_back
from rollback.packaging.candidate import Offer
from rollback.packaging.listing import Listed, Listing
from tests.rollback import rpmworlds
from tests.rollback.worlds import NATIVE, debs, made, text_of


@dataclass(frozen=True)
class Family:
    """A family of packages: how its packages are made and described, and how it writes `package = version`."""

    name: str
    native: str
    made: Callable[..., Any]
    control: Callable[[Any], Any]
    demand: str
    exactly: str
    manager: str

    def package(self, name: str, version: int, needs: str = "", **fields: str) -> Any:
        """A package of release 1 or 2, that demands `needs`."""
        return self.made(f"{name}={version}-1", **({self.demand: needs} if needs else {}), **fields)

    def three(self, version: int) -> tuple[Any, ...]:
        """perl, which needs libperl of its own version, and less."""
        perl = self.package("perl", version, self.exactly.format("libperl", f"{version}-1"))
        return perl, self.package("libperl", version), self.package("less", version)

    def way(self, installed: Iterable[Any], old: Iterable[Any], *, only: tuple[str, ...] = ()) -> Checked:
        """The way from `installed` to the release of `old`. Where nothing stands against it, it is the plain one."""
        installed, old = tuple(installed), tuple(old)
        listed = Listing(
            "installed", self.name, tuple(Listed(n, one.name, one.arch, one.version) for n, one in enumerate(installed))
        )
        had = [
            Offer(one.name, one.arch, one.version, release, (release,), self.control(one))
            for release, packages in (("old", old), ("new", installed))
            for one in packages
        ]
        target, offers = Target("old", only=only), collect(had, self.name, self.native)
        found = checked_way("here", listed, offers, target)
        if not found.manifest.deviations and not only:
            assert found.manifest == way_back("here", listed, offers, target)
        return found


DEB = Family("deb", NATIVE, made, lambda one: tuple(sorted(text_of(one).items())), "depends", "{} (= {})", "apt")
RPM = Family("rpm", rpmworlds.NATIVE, rpmworlds.made, rpmworlds.control_of, "requires", "{} = {}", "dnf")
PERL = (made("perl=1", depends="libperl (= 1)"), made("libperl=1"), made("less=1"))
NEWER = (made("perl=2", depends="libperl (= 2)"), made("libperl=2"), made("less=2"))


def listing(debs: Iterable[DebPackage]) -> Listing:
    return Listing("installed", "deb", tuple(Listed(n, one.name, one.arch, one.version) for n, one in enumerate(debs)))


def offers(old: Iterable[DebPackage], new: Iterable[DebPackage] = (), *, described: bool = True) -> Offers:
    def offer(one: DebPackage, release: str) -> Offer:
        control = tuple(sorted(text_of(one).items())) if described else None
        return Offer(one.name, one.arch, one.version, release, (release,), control)

    return collect([*(offer(one, "old") for one in old), *(offer(one, "new") for one in new)], "deb", NATIVE)


def way(
    installed: Iterable[DebPackage], had: Offers, *, only: tuple[str, ...] = (), renames: tuple[Rename, ...] = ()
) -> Checked:
    return checked_way("here", listing(installed), had, Target("old", renames=renames, only=only))


def lines(manifest: Manifest) -> dict[str, str]:
    return {one.name: f"{one.action} {one.target_name} {one.target}".strip() for one in manifest.changes}


both = pytest.mark.parametrize("family", [DEB, RPM], ids=lambda family: family.name)


@both
def test_what_can_stand_is_taken_as_it_is(family: Family) -> None:
    found = family.way(family.three(2), family.three(1))
    assert lines(found.manifest) == {name: f"downgrade {name} 1-1" for name in ("perl", "libperl", "less")}
    assert not found.notes


@both
def test_what_cannot_stand_stays_with_its_reasons(family: Family) -> None:
    perl, _, less = family.three(1)
    found = family.way(family.three(2), (perl, less))
    assert lines(found.manifest) == {
        "perl": "keep perl 2-1",
        "libperl": "unobtainable libperl",
        "less": "downgrade less 1-1",
    }
    (told,) = found.manifest.deviations
    assert told.packages == ("perl",)
    assert f"perl=1-1 needs {family.exactly.format('libperl', '1-1')}" in told.text
    assert "taken back" in told.text and "snapshot" not in told.text
    assert [one.rule for one in found.manifest.problems] == ["unobtainable"]


@both
def test_a_part_takes_along_what_it_must(family: Family) -> None:
    found = family.way(family.three(2), family.three(1), only=("perl",))
    assert lines(found.manifest) == {
        "perl": "downgrade perl 1-1",
        "libperl": "downgrade libperl 1-1",
        "less": "keep less 2-1",
    }
    note = f"libperl comes along: perl=1-1 needs {family.exactly.format('libperl', '1-1')}"
    assert any(one.startswith(note) for one in found.notes)
    assert not found.manifest.deviations


@pytest.mark.parametrize(
    ("family", "needs", "named"),
    [
        (DEB, "libperl (= 1-1), libc6, debconf | cdebconf", "debconf, libc6"),
        (RPM, "libc.so.6()(64bit), /bin/sh, (less if libperl), rpmlib(X) <= 4", "/bin/sh, libc.so.6()(64bit)"),
    ],
    ids=["deb", "rpm"],
)
def test_what_is_not_listed_is_left_to_the_package_manager_and_named(family: Family, needs: str, named: str) -> None:
    _, *others = family.three(1)
    found = family.way(family.three(2), (family.package("perl", 1, needs), *others))
    assert lines(found.manifest) == {name: f"downgrade {name} 1-1" for name in ("perl", "libperl", "less")}
    assert found.notes == (f"needed, and not listed: {named} (left to {family.manager})",)


@pytest.mark.parametrize(
    ("family", "needs", "given"),
    [(DEB, "mta", {"provides": "mta"}), (RPM, "mta, /usr/bin/p", {"provides": "mta", "files": "/usr/bin/p"})],
    ids=["deb", "rpm"],
)
def test_what_is_provided_is_listed(family: Family, needs: str, given: dict[str, str]) -> None:
    perl = family.package("perl", 1, needs)
    newer = (family.package("perl", 2), family.package("exim", 2))
    assert not family.way(newer, (perl, family.package("exim", 1, **given))).notes
    provider = family.package("exim", 2, provides=given["provides"])
    assert family.way((newer[0], provider), (perl, family.package("exim", 1))).manifest.deviations


def test_what_demands_are_not_known_of_is_not_checked_and_that_is_said() -> None:
    had = offers(PERL[:1], described=False)
    found = way(NEWER, had)
    assert found.manifest == way_back("here", listing(NEWER), had, Target("old"))
    assert found.notes == ("dependencies were not checked: the files do not say what the packages depend on",)


def test_a_renamed_part_goes_back_under_its_old_name() -> None:
    old = (made("quantum-common=1", depends="python-quantum (= 1)"), made("python-quantum=1"), made("less=1"))
    new = (made("neutron-common=2", depends="python-neutron (= 2)"), made("python-neutron=2"), made("less=2"))
    renames = (Rename("neutron", "quantum"),)
    assert lines(way(new, offers(old, new), renames=renames).manifest)["less"] == "downgrade less 1"
    found = way(new, offers(old, new), only=("neutron-common",), renames=renames)
    assert lines(found.manifest)["neutron-common"] == "rename quantum-common 1"
    assert lines(found.manifest)["less"] == "keep less 2"
    assert {one.target_name for one in found.manifest.changes} >= {"python-quantum"}


def test_packages_of_which_nothing_is_known_are_named() -> None:
    had = offers(PERL[:1], NEWER)
    unknown = [Offer("libperl", "", "1", "policy", ("old",)), Offer("less", "", "1", "policy", ("old",))]
    whole = collect([*(one for each in had.by_name.values() for one in each), *unknown], "deb", NATIVE)
    found = way(NEWER, whole)
    assert lines(found.manifest)["perl"] == "downgrade perl 1"
    assert found.notes == ("not checked, since no index describes them: less, libperl",)


def test_a_version_that_is_not_described_is_for_others_what_another_is() -> None:
    old = (made("tool=1", depends="perl:any, sh"), made("perl=1", multi_arch="allowed", provides="sh"))
    new = (made("tool=1"), made("perl=2"))
    found = way(new, offers(old), only=("tool",))
    assert lines(found.manifest) == {"tool": "keep tool 1", "perl": "keep perl 2"}


def test_kernels_are_left_alone_and_the_rest_is_checked() -> None:
    older, newer = (
        rpmworlds.made(f"kernel-core={version}", arch=rpmworlds.NATIVE, provides="x") for version in ("1-1", "2-1")
    )
    perl, _, less = RPM.three(1)
    found = RPM.way((older, newer, *RPM.three(2)), (perl, less, older))
    kept = [(c.slot, c.action) for c in found.manifest.changes if c.name == "kernel-core"]
    assert kept == [("1-1", "keep"), ("2-1", "keep")]
    assert lines(found.manifest)["perl"] == "keep perl 2-1"


@given(st.lists(debs(), max_size=6), st.lists(debs(), max_size=8), st.sampled_from([(), ("a",), ("[ab]",)]))
def test_every_package_is_accounted_for_once(
    now: list[DebPackage], had: list[DebPackage], only: tuple[str, ...]
) -> None:
    installed = {one.key: one for one in now}.values()
    if not had:
        return
    found = way(installed, offers(had), only=only).manifest
    assert sorted((one.name, one.arch) for one in found.changes if one.installed) == sorted(
        (one.name, one.arch) for one in installed
    )
    again = way(installed, offers(had), only=only).manifest
    assert found == again
