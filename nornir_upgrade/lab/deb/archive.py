"""Real .deb files and signed apt repositories from `lab.releases`."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nornir_upgrade.lab.cloud import payload
from nornir_upgrade.lab.cloud.payload import PayloadFile
from nornir_upgrade.lab.cloud.releases import RELEASES, LabPackage, Release
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.signing import ArchiveKey

from . import dists
from .dists import put, sha256, stanza

_STAMP = "digest"


Trees = Mapping[LabPackage, tuple[PayloadFile, ...]]


def digest(key: ArchiveKey) -> str:
    """SHA-256 over all that goes into the repositories: what `build` would make has changed if, and only if, this has."""
    return sha256("".join(_release_digest(release, _trees(release), key) for release in RELEASES).encode())


def build(directory: Path, key: ArchiveKey) -> None:
    """Afterwards `directory`/CODENAME is a signed repository of each release.

    One that is there already is kept; the same data makes the same .deb files, byte for byte. Raises LabError with
    dpkg-deb's words.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for release in RELEASES:
        _build_release(release, directory / release.codename, key)


def contents(package: LabPackage, release: Release) -> tuple[PayloadFile, ...]:
    """Every file of the binary package, its control files (deb(5)) below DEBIAN/ included."""
    entries = [PayloadFile("DEBIAN/control", stanza(control_fields(package)).encode())]
    for script in package.scripts:
        head = f"#!/bin/sh\nset -e\nrelease={release.codename}\n"
        text = head + "".join(f"\n{payload.data('scripts', piece).read_text()}" for piece in script.pieces)
        entries.append(PayloadFile(f"DEBIAN/{script.name}", text.encode(), 0o755))
    if package.conffiles:
        entries.append(PayloadFile("DEBIAN/conffiles", "".join(f"{path}\n" for path in package.conffiles).encode()))
    entries += (payload.conffile(path, release) for path in package.conffiles)
    return (*entries, *_code(package, release))


def control_fields(package: LabPackage) -> Mapping[str, str]:
    """The fields of its control file (Debian policy 5.3), those that say nothing left out."""
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": "all",
        "Maintainer": "Lab Cloud <archive@lab.invalid>",
        "Section": "net",
        "Priority": "optional",
        "Depends": ", ".join(package.depends),
        "Breaks": ", ".join(package.breaks),
        "Conflicts": ", ".join(package.conflicts),
        "Replaces": ", ".join(package.replaces),
        "Provides": ", ".join(package.provides),
        "Description": package.summary,
    }
    return {field: value for field, value in fields.items() if value}


def _code(package: LabPackage, release: Release) -> Iterator[PayloadFile]:
    if package.module:
        yield payload.module(package.module, package.version)
    if project := package.library:
        yield from payload.library(project, release)
    if project := package.command:
        yield payload.command(project)
    if (service := package.unit) and (project := package.owner):
        yield payload.program(project, service)
        yield payload.unit(f"lib/systemd/system/{service.name}.service", service, package.summary)


def _trees(release: Release) -> Trees:
    return {package: contents(package, release) for package in release.packages}


def _release_digest(release: Release, trees: Trees, key: ArchiveKey) -> str:
    return sha256(repr((key.public, release.codename, release.date, list(trees.values()))).encode())


def _build_release(release: Release, directory: Path, key: ArchiveKey) -> None:
    trees, stamp = _trees(release), directory / _STAMP
    wanted = _release_digest(release, trees, key)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    fresh = Path(tempfile.mkdtemp(prefix=f"{release.codename}.", dir=directory.parent))
    try:
        fresh.chmod(0o755)
        _build_packages(release, trees, fresh)
        _index(release, fresh, key)
        (fresh / _STAMP).write_text(wanted)
        shutil.rmtree(directory, ignore_errors=True)
        fresh.rename(directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _build_packages(release: Release, trees: Trees, root: Path) -> None:
    def one(package: LabPackage) -> None:
        stage, target = root / "stage" / package.name, root / pool_path(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        for entry in trees[package]:
            put(stage, entry.path, entry.data, entry.mode)
        # SOURCE_DATE_EPOCH: all files date from the release, see dpkg-deb(1).
        done = subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(stage), str(target)],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(release.date), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"dpkg-deb could not build {package.name}:\n{done.stderr}")

    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in pool.map(one, release.packages):
            pass
    shutil.rmtree(root / "stage")


def pool_path(package: LabPackage) -> str:
    """Where the package lies below its repository; the epoch is no part of a file's name."""
    version = package.version.partition(":")[2] or package.version
    return f"pool/{package.name}_{version}_all.deb"


def _index(release: Release, root: Path, key: ArchiveKey) -> None:
    packages = "\n".join(stanza(_indexed(package, root)) for package in release.packages).encode()
    dists.write(root, release.codename, packages, key, date=release.date, origin="Lab Cloud", label="Lab Cloud Archive")


def _indexed(package: LabPackage, root: Path) -> Mapping[str, str]:
    path = pool_path(package)
    data = (root / path).read_bytes()
    where = {"Filename": path, "Size": str(len(data)), "SHA256": sha256(data)}
    return {**control_fields(package), **where}
