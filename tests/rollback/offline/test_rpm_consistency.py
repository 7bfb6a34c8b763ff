"""The way of an rpm machine, from files, held against what its packages demand."""

from collections.abc import Iterable

from nornir_upgrade.core.packaging.rpm.dependencies import Rpm
from rollback.offline.consistency import Checked, checked_way
from rollback.offline.offers import Offer, collect
from rollback.offline.target import Aim, way_back
from rollback.packaging.listing import Listed, Listing
from tests.rollback.offline.test_consistency import lines
from tests.rollback.rpmworlds import NATIVE, control_of, made

PERL = (made("perl=1-1", requires="libperl = 1"), made("libperl=1-1"), made("less=1-1"))
NEWER = (made("perl=2-1", requires="libperl = 2"), made("libperl=2-1"), made("less=2-1"))


def way(installed: Iterable[Rpm], old: Iterable[Rpm], *, only: tuple[str, ...] = ()) -> Checked:
    listed = tuple(Listed(number, one.name, one.arch, one.version) for number, one in enumerate(installed))
    had = [Offer(one.name, one.arch, one.version, "old", ("old",), control_of(one)) for one in old]
    had += [Offer(one.name, one.arch, one.version, "new", ("new",), control_of(one)) for one in installed]
    aim = Aim("old", only=only)
    offers = collect(had, "rpm", NATIVE)
    found = checked_way("here", Listing("installed", "rpm", listed), offers, aim)
    if not found.manifest.deviations and not only:
        assert found.manifest == way_back("here", Listing("installed", "rpm", listed), offers, aim)
    return found


def test_what_can_stand_is_taken_as_it_is() -> None:
    found = way(NEWER, PERL)
    assert lines(found.manifest)["perl"] == "downgrade perl 1-1"
    assert not found.notes


def test_what_cannot_stand_stays_with_its_reasons() -> None:
    found = way(NEWER, (PERL[0], PERL[2]))
    assert lines(found.manifest) == {
        "perl": "keep perl 2-1",
        "libperl": "unobtainable libperl",
        "less": "downgrade less 1-1",
    }
    (told,) = found.manifest.deviations
    assert told.packages == ("perl",) and "perl=1-1 needs libperl = 1" in told.text


def test_a_part_takes_along_what_it_must() -> None:
    found = way(NEWER, PERL, only=("perl",))
    assert lines(found.manifest)["libperl"] == "downgrade libperl 1-1"
    assert lines(found.manifest)["less"] == "keep less 2-1"
    assert any(note.startswith("libperl comes along: perl=1-1 needs libperl = 1") for note in found.notes)


def test_what_is_not_listed_is_left_to_dnf_and_named() -> None:
    old = (made("perl=1-1", requires="libc.so.6()(64bit), /bin/sh, (less if libperl), rpmlib(X) <= 4"), *PERL[1:])
    found = way(NEWER, old)
    assert lines(found.manifest)["perl"] == "downgrade perl 1-1"
    assert found.notes == ("needed, and not listed: /bin/sh, libc.so.6()(64bit) (left to dnf)",)


def test_what_is_provided_is_listed() -> None:
    old = (made("a=1-1", requires="mta, /usr/bin/p"), made("b=1-1", provides="mta", files="/usr/bin/p"))
    assert not way((made("a=2-1"), made("b=2-1")), old).notes
    found = way((made("a=2-1"), made("b=2-1", provides="mta")), (old[0], made("b=1-1")))
    assert found.manifest.deviations


def test_kernels_are_left_alone_and_the_rest_is_checked() -> None:
    kernels = tuple(made(f"kernel-core={version}", arch=NATIVE, provides="x") for version in ("1-1", "2-1"))
    found = way((*kernels, *NEWER), (PERL[0], PERL[2], kernels[0]))
    kept = [(c.slot, c.action) for c in found.manifest.changes if c.name == "kernel-core"]
    assert kept == [("1-1", "keep"), ("2-1", "keep")]
    assert lines(found.manifest)["perl"] == "keep perl 2-1"
