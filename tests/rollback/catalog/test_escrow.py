"""What escrow offers is what an index would say of the same files: made by dpkg-deb, rpmbuild and createrepo_c."""

import gzip
import subprocess
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import DigestMismatch, InvalidInput
from nornir_upgrade.core.escrow.escrow import Escrow, Kept, PackageFile
from nornir_upgrade.core.packaging.rpm.dependencies import Control
from nornir_upgrade.core.store import Store, digest_of
from rollback.catalog.escrow import candidates
from rollback.packaging.candidate import ESCROW
from rollback.packaging.rpm import primary
from rollback.packaging.rpm.header import control_of_file
from tests.core.rpmroot import Built, RpmRoot

CONTROL = """\
Package: nova-common
Version: 1:2013.2-0ubuntu1~cloud0
Architecture: all
Maintainer: Somebody <somebody@example.org>
Depends: python-nova (= 1:2013.2-0ubuntu1~cloud0),
 adduser
Breaks: nova-old
Description: what all have in common
 and more.
"""


@pytest.fixture
def escrow(tmp_path: Path) -> Escrow:
    return Escrow.beside(Store(tmp_path / "store"))


def keep(escrow: Escrow, file: PackageFile, data: bytes) -> Kept:
    one = Kept(file, escrow.store.put(data), len(data), "cmp1", "rebuilt", "name", "2026-01-01T00:00:00.000+00:00")
    escrow.keep(one)
    return one


@pytest.mark.parametrize("packed", ["gzip", "xz", "zstd"])
def test_a_deb_offers_what_its_control_file_says(escrow: Escrow, tmp_path: Path, packed: str) -> None:
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(CONTROL)
    made = tmp_path / "made.deb"
    subprocess.run(["dpkg-deb", f"-Z{packed}", "--build", tmp_path / "tree", made], check=True, capture_output=True)
    file = PackageFile("deb", "nova-common", "all", "1:2013.2-0ubuntu1~cloud0")
    kept = keep(escrow, file, made.read_bytes())
    other = PackageFile("deb", "other", "all", "1")
    (found,) = candidates(escrow, [file, other])
    assert (found.name, found.arch, found.version, found.origin) == (file.name, file.arch, file.version, ESCROW)
    assert (found.digest, found.size) == (kept.digest, kept.size)
    fields = dict(found.control)
    assert "adduser" in fields["Depends"] and fields["Breaks"] == "nova-old" and "Description" not in fields
    assert found.escrowed and not list(candidates(escrow, [other]))


def test_a_damaged_file_offers_nothing(escrow: Escrow) -> None:
    kept = keep(escrow, PackageFile("deb", "nova-common", "all", "1"), b"no package")
    with pytest.raises(InvalidInput, match="nova-common:all 1: no package of dpkg"):
        list(candidates(escrow, [kept.file]))
    (escrow.store.root / kept.digest[:2] / kept.digest).write_bytes(b"flipped")
    with pytest.raises(DigestMismatch):
        list(candidates(escrow, [kept.file]))


@pytest.mark.parametrize("data", [b"", b"\xed\xab\xee\xdb", bytes(200), bytes(96) + b"\x8e\xad\xe8\x01" + b"\xff" * 12])
def test_what_is_no_rpm_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="odd: no package of rpm"):
        control_of_file(data, "odd")


@pytest.mark.lab
def test_an_rpm_offers_what_the_index_of_its_repository_says(tmp_path: Path) -> None:
    more = "Obsoletes: openstack-quantum < 2014.1\nProvides: openstack-quantum = %{version}-%{release}\nConflicts: old <= 3:1-2"
    root = RpmRoot(tmp_path)
    root.make()
    root.add_repository(
        "icehouse",
        (
            Built(
                "openstack-neutron", "2014.1-11.el7", f"{more}\nRequires: (python-neutron if bash)\nRequires: /bin/sh"
            ),
            Built("libvirt", "1.2.0-1.el7", "Epoch: 1\nRequires: libfoo >= 1.0", "%post\n:"),
        ),
    )
    (index,) = (tmp_path / "icehouse" / "repodata").glob("*primary.xml.gz")
    entries = {one.name: one for one in primary.entries(gzip.decompress(index.read_bytes()), "primary")}
    rpms = list((tmp_path / "icehouse").rglob("*.rpm"))
    assert len(rpms) == len(entries) == 2
    for path in rpms:
        data = path.read_bytes()
        entry = next(one for one in entries.values() if path.name.startswith(f"{one.name}-"))
        assert entry.digest == digest_of(data)
        assert _as_sets(control_of_file(data, path.name)) == _as_sets(entry.control)


def _as_sets(control: Control) -> dict[str, set[str]]:
    return {field: set(text.splitlines()) for field, text in control}
