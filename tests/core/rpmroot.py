"""A root directory whose packages are rpm's, with repositories of tiny packages, for the real rpm and dnf of this machine."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Summary: lab stand-in
License: ASL 2.0
BuildArch: noarch
{more}
%description
Lab package.
{scripts}
%files
{files}
"""
WRAPPERS = {
    "rpm": 'exec env HOME={home} /usr/bin/rpm --root {root} "$@"',
    "dnf": "exec env HOME={home} /usr/bin/dnf --noplugins --installroot={root} --config={root}/etc/dnf/dnf.conf --releasever=9"
    ' --setopt=reposdir={root}/etc/yum.repos.d --setopt=cachedir={root}/var/cache/dnf "$@"',
    # What reads dnf's history reads that of this root.
    "python3": 'exec unshare --mount sh -c \'mount --bind {root}/var/lib/dnf /var/lib/dnf && exec /usr/bin/python3 "$@"\' sh "$@"',
}


@dataclass(frozen=True, slots=True)
class Built:
    """What a package is built from; `version` with its release, `more` lines of its header, `scripts` those of its end, `files` of
    its list of files.
    """

    name: str
    version: str
    more: str = ""
    scripts: str = ""
    files: str = ""


@dataclass(frozen=True, slots=True)
class RpmRoot:
    """`run` runs a command that finds a `dnf` and an `rpm` which know of this root only."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root"

    def make(self) -> None:
        """Afterwards there is a root without packages and without repositories."""
        for part in ("bin", "home", "root/etc/dnf", "root/etc/yum.repos.d", "root/var/lib/dnf"):
            (self.directory / part).mkdir(parents=True)
        (self.root / "etc/dnf/dnf.conf").write_text(
            "[main]\ngpgcheck=1\nbest=True\nclean_requirements_on_remove=True\n"
        )
        # Debian's rpm keeps its database in the caller's home otherwise.
        (self.directory / "home/.rpmmacros").write_text(
            f"%_dbpath /var/lib/rpm\n%_topdir {self.directory}/top\n%_buildhost lab\n"
        )
        for name, line in WRAPPERS.items():
            script = self.directory / "bin" / name
            script.write_text(f"#!/bin/sh\n{line.format(home=self.directory / 'home', root=self.root)}\n")
            script.chmod(0o755)

    def add_repository(self, name: str, packages: Sequence[Built]) -> None:
        """Afterwards dnf has the packages from the repository `name`."""
        (self.directory / "specs" / name).mkdir(parents=True)
        specs = [self._spec(name, one) for one in packages]
        place = self.directory / name
        build = ("rpmbuild", "-bb", "--quiet", "--define", f"_rpmdir {place}", *specs)
        subprocess.run(build, env=self._environment(), check=True, capture_output=True)
        subprocess.run(("createrepo_c", "-q", place), check=True)
        (self.root / f"etc/yum.repos.d/{name}.repo").write_text(
            f"[{name}]\nname={name}\nbaseurl=file://{place}\nenabled=1\ngpgcheck=0\nmetadata_expire=0\n"
        )

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """The command, ended, whatever came of it."""
        return subprocess.run(argv, env=self._environment(), capture_output=True, text=True, check=False)

    def _environment(self) -> dict[str, str]:
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        return {**os.environ, "LC_ALL": "C", "PATH": path, "HOME": str(self.directory / "home")}

    def _spec(self, repository: str, one: Built) -> str:
        version, _, release = one.version.rpartition("-")
        spec = self.directory / "specs" / repository / f"{one.name}.spec"
        spec.write_text(
            SPEC.format(
                name=one.name, version=version, release=release, more=one.more, scripts=one.scripts, files=one.files
            )
        )
        return str(spec)
