"""The shop's packages and their repository, as apt's own tools read them."""

import subprocess
from pathlib import Path

import pytest

from nornir_upgrade.lab.deb import shop
from nornir_upgrade.lab.signing import archive_key


def test_each_suite_offers_one_version_and_the_same_data_make_the_same_bytes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = archive_key(tmp_path_factory.mktemp("key"))  # gpg wants a short path
    offered = {}
    for name in ("one", "two"):
        root = tmp_path / name
        root.mkdir()
        shop.serve(root, key)
        offered[name] = {path.name: path.read_bytes() for path in root.glob("shop/pool/*.deb")}
    assert offered["one"] == offered["two"]
    assert len(offered["one"]) == 4
    for suite, version in ((shop.OLD, "1.4-1"), (shop.NEW, "2.0-1")):
        index = (tmp_path / "one/shop/dists" / suite / "main/binary-amd64/Packages").read_text()
        assert [line for line in index.splitlines() if line.startswith("Version:")] == [f"Version: {version}"] * 2


def test_the_new_library_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for package in (*shop.packages(shop.NEW), shop.agent()):
        shop.build(package, tmp_path / package.file)
    fields = subprocess.run(
        ["dpkg-deb", "--field", str(tmp_path / "python3-shopcore_2.0-1_all.deb"), "Conflicts", "Replaces", "Provides"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert fields.stdout.splitlines() == [f"{name}: libshop-common" for name in ("Conflicts", "Replaces", "Provides")]


def test_its_programs_are_python(tmp_path: Path) -> None:
    for suite in (shop.OLD, shop.NEW):
        for package in shop.packages(suite):
            for entry in package.entries:
                if entry.path.startswith("usr/"):
                    compile(entry.data, entry.path, "exec")
