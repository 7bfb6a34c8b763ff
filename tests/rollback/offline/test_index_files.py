"""Repository indexes: real ones in every packing, and the ways in which one can be damaged, foreign or hostile."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from nornir_upgrade.core.errors import InvalidInput
from rollback.offline import index_files
from rollback.offline.offers import goes_by
from rollback.packaging import compressed
from rollback.packaging.deb.index import packages
from rollback.packaging.text import decode
from tests.rollback.rendered import CASES

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".lz4": lz4.frame.compress,
}
PACKAGES, PRIMARY = (CASES / "Packages").read_bytes(), (CASES / "primary.xml").read_bytes()
FIVE = {
    ("acme-held", "amd64", "0.9-1"),
    ("acme-agent", "amd64", "2147483646:9"),
    ("libacme1", "amd64", "1:1.0-1"),
    ("acme-half", "all", "0.8"),
    ("phased", "amd64", "1.0"),
}
SOME = {
    ("glibc", "x86_64", "2.34-60"),
    ("glibc", "x86_64", "2.34-83"),
    ("glibc", "i686", "2.34-83"),
}


def written(directory: Path, data: bytes, name: str = "Packages") -> Path:
    (directory / name).write_bytes(data)
    return directory / name


@pytest.mark.parametrize("end", PACKINGS)
@pytest.mark.parametrize(
    ("name", "data", "family", "count", "names", "known"),
    [
        ("Packages", PACKAGES, "deb", len(FIVE), {name for name, *_ in FIVE}, FIVE),
        ("primary.xml", PRIMARY, "rpm", 10, {"glibc"}, SOME),
    ],
    ids=["Packages", "primary"],
)
def test_an_index_in_every_packing(
    tmp_path: Path,
    end: str,
    name: str,
    data: bytes,
    family: str,
    count: int,
    names: set[str],
    known: set[tuple[str, str, str]],
) -> None:
    read, offers = index_files.read(written(tmp_path, PACKINGS[end](data), f"{name}{end}"))
    assert (read, len(offers)) == (family, count)
    assert {(one.name, one.arch, one.version) for one in offers if one.name in names} == known


@pytest.mark.parametrize("end", [end for end in PACKINGS if end])
@pytest.mark.parametrize("data", [PACKAGES, PRIMARY], ids=["Packages", "primary"])
def test_a_packed_index_that_is_cut_off_anywhere_is_refused(tmp_path: Path, end: str, data: bytes) -> None:
    packed = PACKINGS[end](data)
    for size in range(1, len(packed), 13):
        read = (
            compressed.read if size > 6 else index_files.read
        )  # a shorter one cannot be told from one that is not packed
        with pytest.raises(InvalidInput):
            read(written(tmp_path, packed[:size]))


def test_packages_that_are_cut_off_within_a_line_are_refused_and_else_read_up_to_it() -> None:
    for size in range(1, len(PACKAGES)):
        try:
            offers = list(packages(decode(PACKAGES[:size], "Packages"), ()))
        except InvalidInput as refused:
            assert "line " in refused.message
        else:
            assert PACKAGES[:size].endswith(b"\n")
            assert {(one.name, one.arch, one.version) for one in offers} <= FIVE


def test_primary_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    for size in range(1, len(PRIMARY.rstrip()), 37):
        with pytest.raises(InvalidInput, match="line "):
            index_files.read(written(tmp_path, PRIMARY[:size]))


def test_a_packed_index_is_bounded(tmp_path: Path) -> None:
    for end in (end for end in PACKINGS if end):
        with pytest.raises(InvalidInput, match="unpacks to more than 1000000 bytes"):
            compressed.read(written(tmp_path, PACKINGS[end](bytes(8_000_000))), limit=1_000_000)


def test_packed_files_may_come_in_several_pieces(tmp_path: Path) -> None:
    for end in PACKINGS:
        packed = PACKINGS[end](b"one\n") + PACKINGS[end](b"two\n")
        assert compressed.read(written(tmp_path, packed)) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Package: nova\nVersion: 1.0\n\n", r"line 1: the package has no Architecture"),
        (
            "Package: nova\nVersion: 1.0\nArchitecture: all\nStatus: install ok installed\n",
            r"line 1: dpkg's status file",
        ),
        ("Package: nova\nVersion: 1.0\nArchitecture: any\nDirectory: pool/n\n", r"line 1: dpkg's status file"),
        ("\n\nPackage: sudo-\nVersion: 1.0\nArchitecture: all\n", r"line 3: 'sudo-' is no name"),
        ("Package: nova\nVersion: 1.0=x\nArchitecture: all\n", r"line 1: .* is no deb version"),
        ("Package: nova\nPackage: neutron\n", r"line 2: Package stands twice"),
        ("Package: nova\nno field\n", r"line 2: no field"),
        (" goes on\n", r"line 1: goes on where nothing began"),
        ("", r"line 1: there is nothing in the file"),
    ],
)
def test_other_packages_files_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        index_files.read(written(tmp_path, content.encode()))


NAMESPACE = "http://linux.duke.edu/metadata/common"
ROW = '<package type="rpm"><name>{}</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/></package>'


def document(body: str, *, head: str = "", count: int = 1, root: str = "metadata") -> bytes:
    return f'<?xml version="1.0"?>{head}<{root} xmlns="{NAMESPACE}" packages="{count}">{body}</{root}>'.encode()


def test_entities_are_not_even_defined(tmp_path: Path) -> None:
    head = '<!DOCTYPE metadata [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    for body in (ROW.format("&a;"), ROW.format("&b;"), ROW.format("nova")):
        with pytest.raises(InvalidInput, match="a DOCTYPE"):
            index_files.read(written(tmp_path, document(body, head=head)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document(ROW.format("nova"), count=2), "1 packages, where it says that there are 2"),
        (document("", root="filelists", count=0), "not the primary index"),
        (b"<html><body>404</body></html>", "not the primary index"),
        (document(ROW.format("--setopt=x")), "no name of an rpm package"),
        (document(ROW.format("nova").replace('ver="1"', "")), "has no 'ver'"),
        (document(ROW.format("nova").replace("noarch", "z80")), "no architecture of rpm"),
    ],
)
def test_other_documents_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        index_files.read(written(tmp_path, data))


def test_an_index_goes_by_the_parts_of_its_path() -> None:
    apt = index_files.labels_of(
        Path("/lists/archive.example.org_debian_dists_bookworm-updates_main_binary-amd64_Packages.lz4")
    )
    assert goes_by(apt, "bookworm-updates")
    assert goes_by(apt, "bookworm-updates/main")
    assert not goes_by(apt, "bookworm")
    assert goes_by(index_files.labels_of(Path("old/Packages.gz")), "old")


RELEASE = "Origin: Acme Inc\nLabel: Acme\nSuite: oldstable\nCodename: bookworm\nComponents: main\nSHA256:\n 0 1 Origin: none\n"


@pytest.mark.parametrize(
    ("index", "release"),
    [
        ("dists/x/main/binary-amd64/Packages", "dists/x/Release"),
        ("a.example.org_dists_x_main_binary-amd64_Packages", "a.example.org_dists_x_InRelease"),
        ("Packages", "Release"),
    ],
)
def test_an_index_goes_by_what_its_release_file_says(tmp_path: Path, index: str, release: str) -> None:
    (tmp_path / index).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / index).write_bytes(PACKAGES)
    assert not any(goes_by(one.labels, "bookworm") for one in index_files.read(tmp_path / index)[1])
    (tmp_path / release).write_text(RELEASE)
    for name in ("Acme Inc", "Acme", "oldstable", "bookworm"):
        assert all(goes_by(one.labels, name) for one in index_files.read(tmp_path / index)[1])
    assert not any(goes_by(one.labels, "none") for one in index_files.read(tmp_path / index)[1])
