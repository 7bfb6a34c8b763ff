"""The lab's RPM releases as data and as spec files, without building them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.version import evr
from nornir_upgrade.lab import base, payload
from nornir_upgrade.lab.deb.fleet import FLEET, extra_hosts
from nornir_upgrade.lab.rpm import archive
from nornir_upgrade.lab.rpm.fleet import RPM_FLEET, RPM_HELD, RPM_INSTALLED
from nornir_upgrade.lab.rpm.releases import HAVANA_RPM, ICEHOUSE_RPM, JUNO_RPM, RPM_RELEASES, RpmPackage, RpmRelease
from nornir_upgrade.lab.signing import ArchiveKey

SCRIPT = payload.data("rpm.sh").read_text()
SYSTEM = set(re.findall(r"(?m)^(?:\[.*\|\| )?system (\S+)", SCRIPT)) | set(re.findall(r"(?m)^Provides: (\S+)", SCRIPT))
_NOT_NAMES = {"if", "with"}
releases = st.sampled_from(RPM_RELEASES)


def named(requirement: str) -> set[str]:
    """The names in it, be it rich or plain."""
    plain = re.sub(r"[<>=]+ \S+", "", requirement.replace("(", " ").replace(")", " "))
    return set(plain.split()) - _NOT_NAMES


def offered(release: RpmRelease) -> set[str]:
    provided = {name for package in release.packages for one in package.provides for name in (one.split(" ")[0],)}
    return {package.name for package in release.packages} | provided | SYSTEM


@pytest.mark.parametrize("release", RPM_RELEASES, ids=lambda release: release.codename)
def test_a_release_and_the_system_hold_all_that_is_required(release: RpmRelease) -> None:
    required = {name for package in release.packages for one in package.requires for name in named(one)}
    assert required - offered(release) == set()
    assert any("(" in one for package in release.packages for one in package.requires)


@pytest.mark.parametrize(
    ("older", "newer"), [(HAVANA_RPM, ICEHOUSE_RPM), (ICEHOUSE_RPM, JUNO_RPM)], ids=("icehouse", "juno")
)
def test_each_release_is_above_the_one_before_or_obsoletes_it(older: RpmRelease, newer: RpmRelease) -> None:
    names = {package.name: package for package in newer.packages}
    for package in older.packages:
        if package.kernel and package.name not in names:
            continue
        if package.name in names:
            versions = (evr.parse(one.evr, "rpm") for one in (package, names[package.name]))
            assert evr.compare(*versions) < 0
        else:
            assert [obsoleter(newer, package)] == [package.name.replace("quantum", "neutron")]


def obsoleter(release: RpmRelease, old: RpmPackage) -> str:
    """The one package that obsoletes it."""
    (found,) = (
        package.name
        for package in release.packages
        for name, _, bound in (one.split(" ") for one in package.obsoletes)
        if name == old.name and evr.compare(evr.parse(old.evr, "rpm"), evr.parse(bound, "rpm")) < 0
    )
    return found


def test_two_of_the_renamed_provide_the_old_name_and_the_client_does_not() -> None:
    renamed = {package.name: package.provides for package in ICEHOUSE_RPM.packages if package.obsoletes}
    assert renamed == {
        "python-neutron": ("python-quantum = 2014.1-2.el7",),
        "openstack-neutron": ("openstack-quantum = 2014.1-2.el7",),
        "python-neutronclient": (),
    }


@given(st.data())
def test_a_conffile_differs_from_release_to_release(data: st.DataObject) -> None:
    package = data.draw(st.sampled_from([one for one in ICEHOUSE_RPM.packages if one.conffiles]))
    path = data.draw(st.sampled_from(package.conffiles))
    assert payload.conffile(path, ICEHOUSE_RPM).data != payload.conffile(path, JUNO_RPM).data
    if path in HAVANA_RPM.package(package.name.replace("neutron", "quantum")).conffiles:
        assert payload.conffile(path, HAVANA_RPM).data != payload.conffile(path, ICEHOUSE_RPM).data


@given(releases, st.data())
def test_a_spec_lists_every_file_that_the_package_holds(release: RpmRelease, data: st.DataObject) -> None:
    package = data.draw(st.sampled_from(release.packages))
    text = archive.spec(package, release)
    listed = {line.split(" ")[-1] for line in text.partition("%files\n")[2].splitlines() if "%dir" not in line}
    assert listed == {f"/{entry.path}" for entry in archive.contents(package, release)}
    assert text.count("%config(noreplace)") == len(package.conffiles)


@given(releases, st.data())
def test_no_scriptlet_holds_what_rpm_would_take_for_a_macro(release: RpmRelease, data: st.DataObject) -> None:
    package = data.draw(st.sampled_from(release.packages))
    scriptlets = archive.spec(package, release).partition("%pre\n")[2].partition("%files\n")[0]
    macros = re.findall(r"(?<!%)%(?!%)\S*", scriptlets.replace("%%", ""))
    assert macros == ["%post", "%preun", "%postun"]


def test_the_digest_is_of_the_content_and_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, other = (ArchiveKey(tmp_path, public) for public in (b"one", b"other"))
    before = archive.digest(one)
    assert before == archive.digest(one) != archive.digest(other)
    monkeypatch.setattr(archive, "RPM_RELEASES", RPM_RELEASES[:2])
    assert archive.digest(one) != before


def test_a_recipe_is_known_by_its_scripts_too() -> None:
    plain = base.Recipe("x", "bookworm", ("rpm",))
    assert plain.digest != base.Recipe("x", "bookworm", ("rpm",), ("base.sh", "rpm.sh")).digest
    assert base.recipe("rpm").set_up.startswith(plain.set_up)


def test_what_the_hosts_carry_is_in_havana() -> None:
    assert RPM_INSTALLED.keys() == {host.name for host in RPM_FLEET} > RPM_HELD.keys()
    assert all(HAVANA_RPM.package(name) for names in RPM_INSTALLED.values() for name in names)
    assert {name for names in RPM_HELD.values() for name in names} <= SYSTEM


def test_they_stand_beside_the_debian_hosts() -> None:
    others = (*FLEET, *extra_hosts(40))
    assert not {host.number for host in others} & {host.number for host in RPM_FLEET}
    assert not {host.name for host in others} & {host.name for host in RPM_FLEET}


def test_repositories_of_another_digest_are_replaced_and_others_kept(tmp_path: Path) -> None:
    key = ArchiveKey(tmp_path / "key", b"key")
    built = tmp_path / "cache" / "rpm-archives" / archive.digest(key)[:16]
    built.mkdir(parents=True)
    (built / "repository").write_text("new")
    there = tmp_path / "rpm"
    there.mkdir()
    (there / "repository").write_text("old")
    archive.build(tmp_path, tmp_path / "cache", key, lambda _: None)
    assert (there / "repository").read_text() == "new"
    (there / "repository").write_text("a test's own")
    archive.build(tmp_path, tmp_path / "cache", key, lambda _: None)
    assert (there / "repository").read_text() == "a test's own"
