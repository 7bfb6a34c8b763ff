"""Debian's own archive for hosts that have no way outside: a file is fetched when it is first asked for, and kept.

This machine's apt fetches it, from where it gets its own packages. Signatures are Debian's; the hosts' apt checks them.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import LabError

DAY = 86400.0
"""Seconds for which an index that the archive replaces is kept as it is."""
NAMES = ("debian", "debian-security")

_HELPER = "/usr/lib/apt/apt-helper"
_SITE = re.compile(r"\S+?/(?P<name>debian|debian-security)/?")
_SAFE = re.compile(rf"(?:{'|'.join(NAMES)})/(?:dists|pool)(?:/[A-Za-z0-9_+~:%@-][A-Za-z0-9._+~:%@-]*)+")
_HASHED = re.compile(r".*/by-hash/SHA256/([0-9a-f]{64})")
_GONE = re.compile(r"\b404\b|File not found")
_AT_A_TIME = 4
_TIMEOUT = 600.0


class NotThere(LabError):
    """The archive has no such file."""


def sites() -> Mapping[str, tuple[str, ...]]:
    """Where this machine's apt gets Debian from, by the names of NAMES. Raises LabError where it does not."""
    argv = ["apt-get", "indextargets", "--format", "$(SITE)", "Identifier: Packages"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    found: dict[str, tuple[str, ...]] = {}
    for site in dict.fromkeys(done.stdout.split()):
        if match := _SITE.fullmatch(site):
            found[match["name"]] = (*found.get(match["name"], ()), site.rstrip("/"))
    if not found:
        raise LabError(
            "this machine's apt gets no packages from Debian, which the lab would fetch them from",
            hint="name a site of Debian's archive in /etc/apt/sources.list, and run apt-get update",
        )
    return found


class Mirror:
    """The part of the archive that was asked for, in `cache`/mirror, which several labs may share.

    What the archive replaces (the indexes that are named by no digest) stays for a day as it was when it was first asked for: in
    `picture`, so that each lab has one of its own. `outside` is a descriptor of the network namespace to fetch in, if not in
    this process's. `tell` is told what went wrong.
    """

    def __init__(
        self,
        cache: Path,
        picture: Path,
        *,
        outside: int | None = None,
        tell: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = cache / "mirror"
        self._picture = picture
        self._outside = outside
        self._tell = tell
        self._now = now
        self._sites = functools.cache(sites)
        self._room = threading.Semaphore(_AT_A_TIME)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def file(self, path: str) -> Path:
        """The file at `path` of the archive, which begins with a name of NAMES, as it lies here.

        Raises NotThere where the archive has none, LabError where it could not be fetched.
        """
        if not _SAFE.fullmatch(path):
            raise NotThere(f"{path}: the archive has no such file")
        with self._locks[path]:
            return self._moving(path) if "/dists/" in path and not _HASHED.fullmatch(path) else self._lasting(path)

    def _lasting(self, path: str) -> Path:
        kept = self._store / path
        if not kept.exists():
            self._fetch(path, kept)
        return kept

    def _moving(self, path: str) -> Path:
        own = self._picture / path
        if self._stale(own):
            try:
                own.parent.mkdir(parents=True, exist_ok=True)
                _put(self._shared(path), own)
            except LabError as error:
                if not own.exists():
                    raise
                self._tell(f"{path}: what was there yesterday is served on: {error.message}")
        return own

    def _shared(self, path: str) -> Path:
        kept = self._store / path
        if self._stale(kept):
            try:
                self._fetch(path, kept)
            except LabError as error:
                if not kept.exists():
                    raise
                self._tell(f"{path}: what was there yesterday is served on: {error.message}")
        return kept

    def _stale(self, path: Path) -> bool:
        """By when it came here; its modification time is the archive's."""
        return not path.exists() or self._now() - path.stat().st_ctime > DAY

    def _fetch(self, path: str, target: Path) -> None:
        """Afterwards the file is at `target`, whole: it is fetched beside its place and renamed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        name, _, rest = path.partition("/")
        failures: list[LabError] = []
        with self._room, tempfile.TemporaryDirectory(dir=self._store, prefix="partial-") as partial:
            for site in self._sites().get(name, ()):
                fresh = Path(partial) / "file"
                try:
                    self._download(f"{site}/{rest}", fresh)
                    _check(path, fresh)
                except LabError as error:
                    failures.append(error)
                    continue
                fresh.chmod(0o644)
                fresh.replace(target)
                return
        raise failures[-1] if failures else LabError(f"{path}: this machine's apt has no site for {name}")

    def _download(self, url: str, target: Path) -> None:
        argv = [_HELPER, "-qq", "-o", "APT::Sandbox::User=root", "download-file", url, str(target)]
        if self._outside is not None:
            argv = ["nsenter", f"--net=/proc/self/fd/{self._outside}", "--", *argv]
        try:
            done = subprocess.run(
                argv,
                pass_fds=() if self._outside is None else (self._outside,),
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{url} could not be fetched within {_TIMEOUT:g} s") from None
        if done.returncode == 0 and target.is_file():
            return
        said = (done.stderr + done.stdout).strip()
        raise (NotThere if _GONE.search(said) else LabError)(f"{url} could not be fetched: {said}")


def _check(path: str, fetched: Path) -> None:
    """Raises LabError for a file that is named by another digest than its own."""
    named = _HASHED.fullmatch(path)
    if named and hashlib.sha256(fetched.read_bytes()).hexdigest() != named[1]:
        raise LabError(f"{path}: what came is another file")


def _put(source: Path, target: Path) -> None:
    """Afterwards `target` is a copy, of the same modification time; never a part of one."""
    fresh = target.with_name(f"{target.name}.new")
    shutil.copy2(source, fresh)
    fresh.replace(target)
