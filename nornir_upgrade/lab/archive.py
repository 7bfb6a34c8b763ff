"""Real .deb files and signed apt repositories from `lab.releases`."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from nornir_upgrade.lab import dists
from nornir_upgrade.lab.dists import put, sha256, stanza
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.releases import RELEASES, Package, Project, Release
from nornir_upgrade.lab.signing import ArchiveKey

_MODULES = "usr/lib/python3/dist-packages"
_STAMP = "digest"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a package: path below the root (or DEBIAN/…), bytes, mode."""

    path: str
    data: bytes
    mode: int = 0o644


Trees = Mapping[Package, tuple[Entry, ...]]


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


def contents(package: Package, release: Release) -> tuple[Entry, ...]:
    """Every file of the binary package, its control files (deb(5)) below DEBIAN/ included."""
    entries = [Entry("DEBIAN/control", stanza(control_fields(package)).encode())]
    for script in package.scripts:
        head = f"#!/bin/sh\nset -e\nrelease={release.codename}\n"
        text = head + "".join(f"\n{_data('scripts', piece).read_text()}" for piece in script.pieces)
        entries.append(Entry(f"DEBIAN/{script.name}", text.encode(), 0o755))
    if package.conffiles:
        entries.append(Entry("DEBIAN/conffiles", "".join(f"{path}\n" for path in package.conffiles).encode()))
    for path in package.conffiles:
        shipped = _data("conffiles", release.codename, *path.removeprefix("/etc/").split("/"))
        entries.append(Entry(path[1:], shipped.read_bytes(), 0o640))
    return (*entries, *_code(package, release))


def control_fields(package: Package) -> Mapping[str, str]:
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


def _code(package: Package, release: Release) -> Iterator[Entry]:
    if package.module:
        yield Entry(f"{_MODULES}/{package.module}/__init__.py", f"__version__ = {package.version!r}\n".encode())
    if project := package.library:
        home = f"{_MODULES}/{project.name}"
        for source in _sources(_data("dist-packages", "project"), ".py"):
            yield Entry(f"{home}/{source.name}", source.read_bytes())
        for source in _sources(_data("schema", project.database), ".sql"):
            if int(source.name.partition("_")[0]) <= project.schema:
                yield Entry(f"{home}/schema/{source.name}", source.read_bytes())
        yield Entry(f"{home}/release.json", _knowledge(project, release))
    if project := package.command:
        yield _program(project.manage, f"from {project.name}.manage import main\n\nsys.exit(main(sys.argv[1:]))\n")
    if (service := package.unit) and (project := package.owner):
        yield _program(service.name, f"from {project.name}.daemon import main\n\nsys.exit(main({service.name!r}))\n")
        unit = Template(_data("unit.service").read_text())
        text = unit.substitute(name=service.name, description=package.summary)
        yield Entry(f"lib/systemd/system/{service.name}.service", text.encode())


def _program(name: str, body: str) -> Entry:
    # -B: byte code would stay behind when the package is removed.
    return Entry(f"usr/bin/{name}", f"#!/usr/bin/python3 -IB\nimport sys\n\n{body}".encode(), 0o755)


def _knowledge(project: Project, release: Release) -> bytes:
    """release.json: what the code on the hosts has to know of its project and release."""
    services = {
        service.name: {"port": service.port, "schema_bound": service.schema_bound} for service in project.services
    }
    known = {
        "release": release.codename,
        "version": release.version,
        "rpc": release.rpc,
        "schema": project.schema,
        "table": project.table,
        "conffile": project.conffile,
        "services": services,
        "manage": project.manage,
        "sync": project.sync,
        "show": project.show,
    }
    return json.dumps(known, indent=1).encode() + b"\n"


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
    def one(package: Package) -> None:
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


def pool_path(package: Package) -> str:
    """Where the package lies below its repository; the epoch is no part of a file's name."""
    version = package.version.partition(":")[2] or package.version
    return f"pool/{package.name}_{version}_all.deb"


def _index(release: Release, root: Path, key: ArchiveKey) -> None:
    packages = "\n".join(stanza(_indexed(package, root)) for package in release.packages).encode()
    dists.write(root, release.codename, packages, key, date=release.date, origin="Lab Cloud", label="Lab Cloud Archive")


def _indexed(package: Package, root: Path) -> Mapping[str, str]:
    path = pool_path(package)
    data = (root / path).read_bytes()
    where = {"Filename": path, "Size": str(len(data)), "SHA256": sha256(data)}
    return {**control_fields(package), **where}


def _data(*path: str) -> Traversable:
    return files("nornir_upgrade.lab").joinpath("data", *path)


def _sources(directory: Traversable, suffix: str) -> list[Traversable]:
    return sorted((path for path in directory.iterdir() if path.name.endswith(suffix)), key=lambda path: path.name)
