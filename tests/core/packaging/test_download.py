"""Downloads: which files are due, what the package managers are told, and what a failure was."""

import json
import re
from functools import partial

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb import download
from nornir_upgrade.core.packaging.dnf import download as download_rpm
from nornir_upgrade.core.packaging.download import names_of
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.steps.downloads import DownloadPackages
from tests import builders

NOVA = PackageWant("nova", "all", "1:2-1", "installed")
GONE = PackageWant("quantum", "all", "", "config-files")


package = partial(builders.package, "nova")


def test_files_are_due_of_what_is_not_there_in_that_version() -> None:
    assert names_of("apt", (NOVA, GONE), ()) == ("nova_1%3a2-1_all.deb",)
    assert names_of("apt", (NOVA, GONE), (package("1:1-1"),)) == ("nova_1%3a2-1_all.deb",)
    assert names_of("apt", (NOVA, GONE), (package("1:2-1", "config-files"),)) == ("nova_1%3a2-1_all.deb",)
    assert names_of("apt", (NOVA, GONE), (package("1:2-1"),)) == ()
    assert names_of("dnf4", (PackageWant("nova", "noarch", "1:2-1.el7", "installed"),), ()) == (
        "nova-2-1.el7.noarch.rpm",
    )


def test_apt_is_told_the_exact_transaction_and_to_download_only() -> None:
    words = download.words((NOVA, GONE), (Package("quantum", "all", "1", "installed", "install", False),))
    assert "--download-only" in words and words[words.index("install") :] == (
        "install",
        "--",
        "nova:all=1:2-1",
        "quantum:all-",
    )
    assert "--allow-downgrades" not in words and "--allow-change-held-packages" not in words


def test_dnf_is_told_the_exact_transaction_in_pieces_that_linux_takes() -> None:
    want = [PackageWant(f"a-package-of-some-name-{number}", "noarch", "1-1", "installed") for number in range(2000)]
    option, *pieces = download_rpm.words(want, ())
    assert option == "" and len(pieces) > 1 and max(map(len, pieces)) < 1 << 17
    rows = json.loads("".join(pieces))["rpms"]
    assert len(rows) == 2000 and {row["action"] for row in rows} == {"Install"}


def test_a_lock_of_versions_gives_way_as_it_does_to_the_transaction() -> None:
    held = Package("nova", "noarch", "1-1", "installed", "hold", False)
    option, *_ = download_rpm.words((PackageWant("nova", "noarch", "2-1", "installed", hold=True),), (held,))
    assert option == "--disableplugin=versionlock"


@pytest.mark.parametrize("script", [download.DOWNLOAD, download_rpm.DOWNLOAD])
def test_no_check_of_signatures_is_weakened(script: str) -> None:
    assert not re.search(
        r"trusted=yes|--allow-unauthenticated|force-yes|AllowInsecure|gpgcheck|nosignature|nodigest", script
    )


@pytest.mark.parametrize("name", ["../etc/passwd", "-rf.deb", "a b.deb", "nova.txt", "", "x\ny.deb", "sub/x.rpm"])
def test_what_is_no_name_of_a_package_file_is_never_dropped(name: str) -> None:
    with pytest.raises(InvalidInput):
        DownloadPackages((), gone=(name,))


def test_what_is_no_version_is_refused_before_anything_hears_of_it() -> None:
    with pytest.raises(InvalidInput):
        DownloadPackages((PackageWant("nova", "all", "1; reboot", "installed"),))
