"""Real signed .rpm files and dnf repositories from `lab.rpm_releases`, built inside a base: this machine needs no rpm."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath

from nornir_upgrade.lab import base, payload
from nornir_upgrade.lab.base import Progress
from nornir_upgrade.lab.deb.dists import put, sha256
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.payload import MODULES, Entry
from nornir_upgrade.lab.signing import ArchiveKey

from .releases import RPM_RELEASES, RpmPackage, RpmRelease, unit_name

DIRECTORY = "rpm"
"""Below the lab's repositories."""
KEY_FILE = "RPM-GPG-KEY-lab"
"""The public key that the packages are signed with, beside the repositories."""
_BUILDER = base.recipe("rpm")
_OWNED = ("etc", MODULES, "usr/lib/modules")
"""Directories below these belong to the package that holds something in them."""
_STAMP = "digest"
_SCRIPTLETS = ("pre", "post", "preun", "postun")

Trees = Mapping[RpmPackage, tuple[Entry, ...]]


def digest(key: ArchiveKey) -> str:
    """SHA-256 over all that goes into the repositories: what `build` would make has changed if, and only if, this has."""
    parts = [
        repr((release.codename, release.date, [(spec(package, release), tree) for package, tree in trees(release)]))
        for release in RPM_RELEASES
    ]
    return sha256(repr((key.public, _BUILDER.digest, _script().read_text(), parts)).encode())


def build(repositories: Path, cache: Path, key: ArchiveKey, progress: Progress) -> None:
    """Afterwards `repositories`/rpm/CODENAME is a repository of each release, of signed packages.

    One that is there already is kept; the packages are built once, in the cache. Raises LabError with rpmbuild's words.
    """
    target, wanted = repositories / DIRECTORY, digest(key)
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    built = _built(wanted, cache, key, progress)
    partial = target.with_name(f"{DIRECTORY}.partial")
    for old in (partial, target):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(built, partial)
    (partial / _STAMP).write_text(wanted)
    partial.rename(target)


def _built(wanted: str, cache: Path, key: ArchiveKey, progress: Progress) -> Path:
    done = cache / "rpm-archives" / wanted[:16]
    with base.only_one(done):
        if not done.is_dir():
            root = base.build(_BUILDER, cache, progress)
            progress("RPM repositories: building them")
            with tempfile.TemporaryDirectory(prefix="build.", dir=done.parent) as work:
                _stage(Path(work))
                _run(root, Path(work), key)
                (Path(work) / "out").rename(done)
    return done


def trees(release: RpmRelease) -> Iterator[tuple[RpmPackage, tuple[Entry, ...]]]:
    """Every package of the release with the files that it holds."""
    return ((package, tuple(contents(package, release))) for package in release.packages)


def contents(package: RpmPackage, release: RpmRelease) -> Iterator[Entry]:
    """Every file of the package."""
    if package.module:
        yield payload.module(package.module, package.version)
    if project := package.library:
        yield from payload.library(project, release)
    if package.kernel:
        full = f"{package.evr}.{package.arch}"
        yield Entry(f"usr/lib/modules/{full}/modules.builtin", f"# built into {full}\n".encode())
    for path in package.conffiles:
        yield payload.conffile(path, release)
    if (project := package.owner) and package.command:
        yield payload.command(project)
    if project := package.owner:
        for service in package.services:
            yield payload.program(project, service)
            summary = f"{project.name}, service {service.name}"
            yield payload.unit(f"usr/lib/systemd/system/{unit_name(service)}.service", service, summary)


def spec(package: RpmPackage, release: RpmRelease) -> str:
    """The spec file of the package. What it holds is expected below %{stage}/NAME."""
    epoch, _, rest = package.evr.rpartition(":")
    version, _, revision = rest.partition("-")
    header = [
        *(f"Name: {package.name}", f"Version: {version}", f"Release: {revision}"),
        *((f"Epoch: {epoch}",) if epoch else ()),
        *((f"BuildArch: {package.arch}",) if package.arch == "noarch" else ()),
        *(f"Summary: {package.summary}", "License: ASL 2.0", "Vendor: Lab Cloud", "AutoReqProv: no"),
        *(f"Requires: {one}" for one in package.requires),
        *(f"Provides: {one}" for one in package.provides),
        *(f"Obsoletes: {one}" for one in package.obsoletes),
    ]
    described = f"%description\n{package.summary}.\n%install\ncp -a %{{stage}}/{package.name}/. %{{buildroot}}\n"
    scriptlets = "".join(f"%{kind}\n{text}\n" for kind, text in _scriptlets(package, release))
    return "\n".join([*header, described + scriptlets + "%files", *_files(package, release), ""])


def _files(package: RpmPackage, release: RpmRelease) -> Iterator[str]:
    """The lines of %files: conffiles, directories of our own, all else."""
    paths = [PurePosixPath(entry.path) for entry in contents(package, release)]
    owned = {parent for path in paths for parent in path.parents if any(map(parent.is_relative_to, _OWNED))}
    for directory in sorted(owned - set(map(PurePosixPath, _OWNED))):
        yield f"%dir %attr(0755,root,root) /{directory}"
    for path in paths:
        config = f"/{path}" in package.conffiles
        yield f"%config(noreplace) %attr(0640,root,root) /{path}" if config else f"%attr(-,root,root) /{path}"


def _scriptlets(package: RpmPackage, release: RpmRelease) -> Iterator[tuple[str, str]]:
    values = {"package": package.name, "evr": package.evr, "release": release.codename}
    if package.services:
        values["units"] = " ".join(f"{unit}.service" for unit in package.units)
    if package.takes_over:
        values |= {"old_conffile": package.takes_over, "conffile": package.conffiles[0]}
    head = "".join(f"{name}='{value}'\n" for name, value in values.items())
    for kind in _SCRIPTLETS:
        pieces = [f"rpm-{kind}.sh"]
        if package.takes_over and kind == "post":
            pieces.append("rpm-takes-over-post.sh")
        if package.services and kind != "pre":
            pieces.append(f"rpm-service-{kind}.sh")
        text = head + "".join(payload.data("scripts", piece).read_text() for piece in pieces)
        yield kind, text.replace("%", "%%")  # else rpm takes them for macros


def _stage(work: Path) -> None:
    """Afterwards `work` holds what data/rpm-build.sh reads."""
    work.chmod(0o755)
    for release in RPM_RELEASES:
        put(work, f"stage/{release.codename}.date", str(release.date).encode())
        for package, entries in trees(release):
            put(work, f"specs/{release.codename}/{package.name}.spec", spec(package, release).encode())
            for entry in entries:
                put(work, f"stage/{release.codename}/{package.name}/{entry.path}", entry.data, entry.mode)


def _run(root: Path, work: Path, key: ArchiveKey) -> None:
    # Namespaces that die with this process: neither mounts nor gpg's agent stay behind.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    argv += ["--kill-child=SIGKILL", "--propagation", "private", "sh", "-eu", str(_script())]
    argv += [str(root), str(work), str(key.home)]
    environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"the RPM repositories could not be built (exit {done.returncode}):\n{done.stdout}{done.stderr}")


def _script() -> Path:
    return Path(str(files("nornir_upgrade.lab").joinpath("data", "rpm-build.sh")))
