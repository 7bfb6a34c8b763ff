"""The way to a release, held against what the packages demand: what can stand is taken as it is, the rest as near as can be."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.packaging.deb.dependencies import Deb
from rollback.manifest.model import Manifest
from rollback.offline.consistency import Checked, checked_way
from rollback.offline.offers import Offer, Offers, collect
from rollback.offline.target import Aim, Rename, way_back
from rollback.packaging.listing import Listed, Listing
from tests.rollback.worlds import NATIVE, debs, made, text_of

PERL = (made("perl=1", depends="libperl (= 1)"), made("libperl=1"), made("less=1"))
NEWER = (made("perl=2", depends="libperl (= 2)"), made("libperl=2"), made("less=2"))


def listing(debs: Iterable[Deb]) -> Listing:
    return Listing("installed", "deb", tuple(Listed(n, one.name, one.arch, one.version) for n, one in enumerate(debs)))


def offers(old: Iterable[Deb], new: Iterable[Deb] = (), *, described: bool = True) -> Offers:
    def offer(one: Deb, release: str) -> Offer:
        control = tuple(sorted(text_of(one).items())) if described else None
        return Offer(one.name, one.arch, one.version, release, (release,), control)

    return collect([*(offer(one, "old") for one in old), *(offer(one, "new") for one in new)], "deb", NATIVE)


def way(
    installed: Iterable[Deb], had: Offers, *, only: tuple[str, ...] = (), renames: tuple[Rename, ...] = ()
) -> Checked:
    return checked_way("here", listing(installed), had, Aim("old", renames=renames, only=only))


def lines(manifest: Manifest) -> dict[str, str]:
    return {one.name: f"{one.action} {one.target_name} {one.target}".strip() for one in manifest.changes}


def test_what_can_stand_is_taken_as_it_is() -> None:
    had = offers(PERL, NEWER)
    found = way(NEWER, had)
    assert found == Checked(way_back("here", listing(NEWER), had, Aim("old")))


def test_what_demands_are_not_known_of_is_not_checked_and_that_is_said() -> None:
    had = offers(PERL[:1], described=False)
    found = way(NEWER, had)
    assert found.manifest == way_back("here", listing(NEWER), had, Aim("old"))
    assert found.notes == ("dependencies were not checked: the files do not say what the packages depend on",)


def test_what_cannot_stand_stays_with_its_reasons() -> None:
    found = way(NEWER, offers((PERL[0], PERL[2]), NEWER))
    assert lines(found.manifest) == {
        "perl": "keep perl 2",
        "libperl": "unobtainable libperl",
        "less": "downgrade less 1",
    }
    (told,) = found.manifest.deviations
    assert told.packages == ("perl",) and "perl=1 needs libperl (= 1)" in told.text
    assert "taken back" in told.text and "snapshot" not in told.text
    assert [one.rule for one in found.manifest.problems] == ["unobtainable"]


def test_a_part_takes_along_what_it_must() -> None:
    found = way(NEWER, offers(PERL, NEWER), only=("perl",))
    assert lines(found.manifest) == {
        "perl": "downgrade perl 1",
        "libperl": "downgrade libperl 1",
        "less": "keep less 2",
    }
    assert any(note.startswith("libperl comes along: perl=1 needs libperl (= 1)") for note in found.notes)
    assert not found.manifest.deviations


def test_a_renamed_part_goes_back_under_its_old_name() -> None:
    old = (made("quantum-common=1", depends="python-quantum (= 1)"), made("python-quantum=1"), made("less=1"))
    new = (made("neutron-common=2", depends="python-neutron (= 2)"), made("python-neutron=2"), made("less=2"))
    renames = (Rename("neutron", "quantum"),)
    assert lines(way(new, offers(old, new), renames=renames).manifest)["less"] == "downgrade less 1"
    found = way(new, offers(old, new), only=("neutron-common",), renames=renames)
    assert lines(found.manifest)["neutron-common"] == "rename quantum-common 1"
    assert lines(found.manifest)["less"] == "keep less 2"
    assert {one.target_name for one in found.manifest.changes} >= {"python-quantum"}


def test_what_is_not_listed_is_left_to_apt_and_named() -> None:
    old = (made("perl=1", depends="libperl (= 1), libc6, debconf | cdebconf"), made("libperl=1"))
    found = way(NEWER[:2], offers(old, NEWER))
    assert lines(found.manifest) == {"perl": "downgrade perl 1", "libperl": "downgrade libperl 1"}
    assert found.notes == ("needed, and not listed: debconf, libc6 (left to apt)",)


def test_what_is_provided_is_listed() -> None:
    old = (made("perl=1", depends="mta"), made("exim=1", provides="mta"))
    new = (made("perl=2"), made("exim=2"))
    assert not way(new, offers(old, new)).notes
    found = way(new, offers((old[0], made("exim=1")), (*new, made("exim=1.5", provides="mta"))))
    assert lines(found.manifest)["perl"] == "keep perl 2" or lines(found.manifest)["exim"] == "downgrade exim 1.5"
    assert found.manifest.deviations


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


@given(st.lists(debs(), max_size=6), st.lists(debs(), max_size=8), st.sampled_from([(), ("a",), ("[ab]",)]))
def test_every_package_is_accounted_for_once(now: list[Deb], had: list[Deb], only: tuple[str, ...]) -> None:
    installed = {one.key: one for one in now}.values()
    if not had:
        return
    found = way(installed, offers(had), only=only).manifest
    assert sorted((one.name, one.arch) for one in found.changes if one.installed) == sorted(
        (one.name, one.arch) for one in installed
    )
    again = way(installed, offers(had), only=only).manifest
    assert found == again
