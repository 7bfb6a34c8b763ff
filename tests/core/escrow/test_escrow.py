"""The escrow: what is known of it is whole, and of two files of one package the archive's counts."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.debname import file_name
from nornir_upgrade.core.errors import InvalidInput, Unobtainable
from nornir_upgrade.core.escrow.escrow import Escrow, Kept, PackageFile
from nornir_upgrade.core.store import Store

NOVA = PackageFile("deb", "nova-common", "all", "1:2013.2-0ubuntu1~cloud0")
LIBVIRT = PackageFile("rpm", "libvirt", "x86_64", "1:1.1.3-1.el6")


@pytest.fixture
def escrow(tmp_path: Path) -> Escrow:
    return Escrow.beside(Store(tmp_path / "store"))


def kept(escrow: Escrow, file: PackageFile, data: bytes, **more: str) -> Kept:
    """Keep `data` as `file`."""
    one = Kept(file, escrow.store.put(data), len(data), "cmp1", "repository", "index", "2026-01-01T00:00:00.000+00:00")
    one = replace(one, **more)  # type: ignore[arg-type]
    escrow.keep(one)
    return one


def again(escrow: Escrow) -> Escrow:
    """What another process finds."""
    return Escrow.beside(escrow.store)


def test_what_was_kept_is_found_again_by_another_process(escrow: Escrow) -> None:
    assert escrow.find(NOVA) is None and escrow.list() == ()
    one, other = kept(escrow, NOVA, b"nova"), kept(escrow, LIBVIRT, b"libvirt")
    for seen in (escrow, again(escrow)):
        assert seen.find(NOVA) == seen.require(NOVA) == one
        assert seen.list() == (one, other)
        assert not list(seen.damage())


def test_bytes_that_went_are_not_to_be_had(escrow: Escrow) -> None:
    one = kept(escrow, NOVA, b"nova")
    escrow.store.remove(one.digest)
    assert escrow.find(NOVA) is None and escrow.list() == (one,)
    assert [line for line in escrow.damage() if "nova-common" in line and one.digest in line]
    with pytest.raises(Unobtainable, match="nova-common:all 1:2013"):
        escrow.require(NOVA)
    with pytest.raises(Unobtainable):
        again(escrow).keep(one)


@pytest.mark.parametrize("first", ["rebuilt", "repository"])
def test_what_an_archive_had_counts_before_what_was_rebuilt(escrow: Escrow, first: str) -> None:
    sources = [first, "rebuilt" if first == "repository" else "repository"]
    for at, source in enumerate(sources):
        kept(escrow, NOVA, source.encode(), source=source, at=f"2026-01-0{at + 1}T00:00:00.000+00:00")
    for seen in (escrow, again(escrow)):
        assert seen.require(NOVA).source == "repository"


def test_what_is_dropped_is_not_known_any_more(escrow: Escrow) -> None:
    kept(escrow, NOVA, b"one"), kept(escrow, NOVA, b"two", source="rebuilt"), kept(escrow, LIBVIRT, b"libvirt")
    escrow.drop({NOVA})
    for seen in (escrow, again(escrow)):
        assert seen.find(NOVA) is None and [one.file for one in seen.list()] == [LIBVIRT]
    assert len(list(escrow.store.digests())) == 3


def test_a_flipped_bit_of_an_entry_or_a_file_is_told_and_nothing_of_it_is_used(escrow: Escrow) -> None:
    files = [PackageFile("deb", f"package{number}", "amd64", "1.0-1") for number in range(3)]
    for number, file in enumerate(files):
        kept(escrow, file, bytes([number]) * 200)
    chance = random.Random(8)
    places = [path for store in (escrow.store, escrow.entries) for path in store.root.glob("??/*")]
    assert len(places) == 6
    for _ in range(200):
        path = chance.choice(places)
        whole = path.read_bytes()
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        seen = again(escrow)
        assert [path.name in line for line in seen.damage()] == [True]
        assert len(seen.list()) == (2 if path.is_relative_to(escrow.entries.root) else 3)
        path.write_bytes(whole)
    assert not list(again(escrow).damage())


@pytest.mark.parametrize(
    ("family", "name", "arch", "version"),
    [
        ("deb", "../../x", "all", "1"),
        ("deb", "nova-", "all", "1"),
        ("deb", "-onova", "all", "1"),
        ("deb", "nova", "a/b", "1"),
        ("deb", "nova", "all", "1/../2"),
        ("rpm", "../x", "noarch", "1-1"),
        ("rpm", "nova", "nonsense", "1-1"),
        ("rpm", "nova", "noarch", "1-1/2"),
        ("rpm", "nova*", "noarch", "1-1"),
    ],
)
def test_what_is_no_package_is_refused_before_it_becomes_a_file_name(
    family: str, name: str, arch: str, version: str
) -> None:
    with pytest.raises(InvalidInput):
        PackageFile(family, name, arch, version)  # type: ignore[arg-type]


def test_files_are_called_as_apt_and_dnf_call_them() -> None:
    assert NOVA.file_name == "nova-common_1%3a2013.2-0ubuntu1~cloud0_all.deb"  # as apt-get download 2.6.1 wrote it
    assert LIBVIRT.file_name == "libvirt-1.1.3-1.el6.x86_64.rpm"
    assert file_name("g++", "4:12.2.0-3+b1", "amd64") == "g++_4%3a12.2.0-3+b1_amd64.deb"


@given(st.from_regex(r"[0-9][A-Za-z0-9.+~]{0,8}(-[A-Za-z0-9.+~]{1,4})?", fullmatch=True))
def test_two_versions_never_share_a_file(version: str) -> None:
    one, other = (PackageFile("deb", "nova", "all", text) for text in (version, f"1:{version}"))
    assert one.file_name != other.file_name and "/" not in one.file_name
