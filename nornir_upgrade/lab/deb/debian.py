"""Debian itself for hosts that have no way outside: the packages of a base, in its own release and in the next one.

This machine's apt fetches them once, from where it gets its own packages; the lab serves them as two repositories that it signs.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nornir_upgrade.core.packaging.deb.apt import FORMAT, OPTIONS, parse_packages
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.lab import mirror
from nornir_upgrade.lab.base import Progress, only_one
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.host import CONTROLLER, HTTP_PORT
from nornir_upgrade.lab.signing import ArchiveKey

from . import dists
from .dists import COMPONENT

OLD, NEW = "bookworm", "trixie"
KEYRING = "/usr/share/keyrings/lab-archive.gpg"

_DEBIAN_KEYS = "usr/share/keyrings/debian-archive-keyring.gpg"
_EPOCH = re.compile(r"_[0-9]+%3a")
_TIMEOUT = 900.0  # seconds; about 250 MB are fetched
_TOLD = 10


def source_line(codename: str) -> str:
    """The one line of sources.list(5) that names the repository `codename` of the lab, without its newline."""
    return f"deb [signed-by={KEYRING}] http://{CONTROLLER}:{HTTP_PORT}/{codename} {codename} {COMPONENT}"


def offer(base: Path, cache: Path, repositories: Path, key: ArchiveKey, progress: Progress = lambda _: None) -> None:
    """Afterwards the lab with this directory of `repositories` serves the packages of `base` in both releases.

    Fetched as `fetch` says. Raises LabError with apt's last words where they cannot be had.
    """
    for codename, directory in fetch(base, cache, key, progress).items():
        link = repositories / codename
        link.unlink(missing_ok=True)
        link.symlink_to(directory)


def fetch(base: Path, cache: Path, key: ArchiveKey, progress: Progress = lambda _: None) -> dict[str, Path]:
    """Afterwards the cache holds a signed repository of each release, by codename: that of OLD has every package of `base` at
    its version, that of NEW all that a full upgrade of `base` takes. What was fetched before is not fetched again.
    """
    done = cache / "debian" / base.name
    with only_one(done):
        if not done.is_dir():
            progress(f"fetching the packages of {base.name} from {OLD} and {NEW}")
            with tempfile.TemporaryDirectory(dir=done.parent, prefix="partial-") as partial:
                _Fetching(base, Path(partial)).run(key)
                (Path(partial) / "repositories").rename(done)
    return {codename: done / codename for codename in (OLD, NEW)}


@dataclass(frozen=True, slots=True)
class _Fetching:
    """An apt of its own below `root`, which believes that it is on a host of `base`."""

    base: Path
    root: Path

    def run(self, key: ArchiveKey) -> None:
        """Afterwards `root`/repositories holds both, whole."""
        self._prepare()
        self._apt("update")
        words = [f"{package.name}:{package.arch}={package.version}" for package in self._installed()]
        self._apt("download", *words, directory=self._pool(OLD))
        self._apt(*OPTIONS, "-o", f"Dir::Cache::archives={self._pool(NEW)}", "--download-only", "dist-upgrade")
        for codename in (OLD, NEW):
            self._index(codename, key)

    def _prepare(self) -> None:
        for name in ("lists/partial", "cache", "preferences.d", "repositories"):
            (self.root / name).mkdir(parents=True)
        for codename in (OLD, NEW):
            (self._pool(codename) / "partial").mkdir(parents=True)
        (self.root / "sources.list").write_text("".join(f"{line}\n" for line in self._sources()))
        # Read last of all, so that it has the last word; hooks are for this machine's own packages (apt.conf(5), #clear).
        (self.root / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{self.root}/sources.list";\nDir::Etc::sourceparts "-";\n'
            f'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "{self.root}/preferences.d";\n'
            f'Dir::State "{self.root}";\nDir::State::status "{self.base}/var/lib/dpkg/status";\n'
            f'Dir::State::extended_states "{self.base}/var/lib/apt/extended_states";\nDir::Cache "{self.root}/cache";\n'
            'Dir::Log "/dev/null";\nAPT::Sandbox::User "root";\nDebug::NoLocking "1";\nAPT::Update::Error-Mode "any";\n'
            "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"
            "#clear DPkg::Post-Invoke;\n"
        )

    def _sources(self) -> Sequence[str]:
        """Both releases, with their updates, from the sites that this machine itself gets Debian from."""
        return [
            f"deb [signed-by={self.base}/{_DEBIAN_KEYS}] {site} {codename}{suite} {COMPONENT}"
            for name, found in mirror.sites().items()
            for site in found
            for codename in (OLD, NEW)
            for suite in (("-security",) if name == "debian-security" else ("", "-updates"))
        ]

    def _installed(self) -> tuple[Package, ...]:
        argv = ["dpkg-query", f"--admindir={self.base}/var/lib/dpkg", "--show", "--showformat", FORMAT]
        return parse_packages(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines())

    def _index(self, codename: str, key: ArchiveKey) -> None:
        """Names of files without epoch, as Debian's own archive has them."""
        pool = self._pool(codename)
        shutil.rmtree(pool / "partial")
        (pool / "lock").unlink(missing_ok=True)
        for path in pool.iterdir():
            path.rename(path.with_name(_EPOCH.sub("_", path.name)))
            path.with_name(_EPOCH.sub("_", path.name)).chmod(0o644)
        said = _run(["apt-ftparchive", "packages", "pool"], pool.parent)
        dists.write(pool.parent, codename, said, key, date=int(time.time()), origin="Debian", label="Debian")

    def _pool(self, codename: str) -> Path:
        return self.root / "repositories" / codename / "pool"

    def _apt(self, *arguments: str, directory: Path | None = None) -> None:
        _run(["apt-get", "-q", "-c", str(self.root / "apt.conf"), *arguments], directory or self.root)


def _run(argv: Sequence[str], directory: Path) -> bytes:
    """What a command prints, run in `directory`. Raises LabError with its last lines unless it ended with 0."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(argv, cwd=directory, env=environment, capture_output=True, check=False, timeout=_TIMEOUT)
    if done.returncode != 0:
        last = (done.stdout + done.stderr).decode(errors="replace").splitlines()[-_TOLD:]
        raise LabError(
            f"{argv[0]} failed (exit {done.returncode}):\n" + "\n".join(last),
            hint="where old versions are gone from the mirror: nornir-upgrade lab down --purge builds the base anew",
        )
    return done.stdout
