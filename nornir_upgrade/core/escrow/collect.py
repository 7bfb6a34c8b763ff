"""Collecting: package files that hosts need are fetched into escrow, each once for the whole fleet.

Sources, in this order: cache or repositories of a host that needs the file, those of any other host of its format, and last
rebuilding from the installed package. Each file is kept as soon as it is fetched: an interrupted collection continues there.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from nornir_upgrade.core.errands import errands
from nornir_upgrade.core.errors import CommandFailed, DigestMismatch, DiskFull, Failure, Unobtainable
from nornir_upgrade.core.packaging.file_source import GATHERED, FileOffer, FileSource, Held, parse_held
from nornir_upgrade.core.packaging.package_file import PackageFile, Source
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.transport.disk import full
from nornir_upgrade.core.transport.host import Fleet, Host

from .escrow import Escrow, Kept

T = TypeVar("T")
JOB = "escrow"
_LOOK_LIMIT = (
    600.0  # seconds; apt-cache takes 0.1 s for a thousand packages, a dnf that has to fetch its indexes far more
)


@dataclass(frozen=True, slots=True)
class CollectProgress:
    """The progress of a collection. `left`: estimated seconds at the speed until now; None while there is no estimate."""

    files: int
    of_files: int
    bytes: int
    of_bytes: int
    left: float | None


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of it: what was kept now, which of the needed files cannot be had, what hosts failed in, and which go without
    copies of their own, in words."""

    kept: tuple[Kept, ...]
    missing: Mapping[PackageFile, str]
    failures: Mapping[str, Exception]
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The size of what was kept now."""
        return sum(copy.size for copy in self.kept)

    def require(self) -> None:
        """Raises `DiskFull` where a disk was, else `Unobtainable` naming every file that cannot be had, with the reason."""
        for failure in self.failures.values():
            if isinstance(failure, DiskFull):
                raise failure
        if self.missing:
            raise Unobtainable(
                "\n".join(f"{file}: {reason}" for file, reason in sorted(self.missing.items())),
                hint="give a host a repository that has it, or leave its host out",
            )


def silent(_: CollectProgress) -> None:
    """Reports nothing."""


def collect(
    fleet: Fleet,
    managers: Mapping[str, str],
    needs: Mapping[str, Collection[PackageFile]],
    escrow: Escrow,
    progress: Callable[[CollectProgress], None] = silent,
) -> Collected:
    """Afterwards the escrow has what `needs` (host -> package files) names, but for what `missing` says of the result.

    `managers` (by host) are the hosts that may be asked. Nothing is installed or removed anywhere, and nothing of ours stays on a host.
    What is in escrow already, and whole, is not fetched again. A full disk, here or on a host, ends it, and what came before is kept.
    """
    due = {file for file in set().union(*needs.values()) if not escrow.has_whole(file)}
    work = _Collection(fleet, managers, escrow, due, progress)
    owners = {host: set(files) & due for host, files in needs.items()}
    work.from_depots({host: files for host, files in owners.items() if files})
    others = {host: work.due_of(manager) - owners.get(host, set()) for host, manager in managers.items()}
    work.from_depots({host: files for host, files in others.items() if files})
    work.rebuilt(owners)
    return work.result()


@dataclass(slots=True)
class _Collection:
    """One collection under way; `due` shrinks as files are kept."""

    fleet: Fleet
    managers: Mapping[str, str]
    escrow: Escrow
    due: set[PackageFile]
    tell: Callable[[CollectProgress], None]
    kept: list[Kept] = field(default_factory=list)
    reasons: dict[PackageFile, str] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    sizes: dict[PackageFile, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun: float = field(default_factory=time.monotonic)

    def due_of(self, manager: str) -> set[PackageFile]:
        format = family_of(manager).format.name
        return {file for file in self.due if file.family == format}

    def from_depots(self, asked: Mapping[str, set[PackageFile]]) -> None:
        """Ask these hosts for these files, and fetch each file from one of them; where that fails, from the next."""
        offers = self._each({host: sorted(files & self.due) for host, files in asked.items()}, self._look)
        for offered in offers.values():
            self.sizes |= {file: offer.size for file, offer in offered.items() if offer.size}
        while asked_of := errands_of(offers, self.due):
            self._each(asked_of, lambda host, files: self._fetch(host, files, offers[host.name]))
            for host, files in asked_of.items():  # whatever came of it: not to be asked for them again
                offers[host] = {file: offer for file, offer in offers[host].items() if file not in files}

    def rebuilt(self, owners: Mapping[str, set[PackageFile]]) -> None:
        """Have each remaining file rebuilt on a host that has it installed; where that fails, on the next."""
        left = {host: {file: FileOffer(offered=True) for file in files} for host, files in owners.items()}
        while asked_of := errands_of(left, self.due):
            self._each(asked_of, self._rebuild)
            for host, files in asked_of.items():
                left[host] = {file: offer for file, offer in left[host].items() if file not in files}

    def result(self) -> Collected:
        missing = {file: self.reasons.get(file, "no host has it, nor any of their repositories") for file in self.due}
        return Collected(tuple(self.kept), missing, dict(self.failures))

    # ------------------------------------------------------------------ the fleet

    def _each(
        self, asked: Mapping[str, Sequence[PackageFile]], act: Callable[[Host, Sequence[PackageFile]], T]
    ) -> dict[str, T]:
        """The result of `act` on each host that did not fail. Once a disk is full, no further host is asked."""
        full = any(isinstance(failure, DiskFull) for failure in self.failures.values())
        names = [] if full else [host for host, files in asked.items() if files and host not in self.failures]
        answers = self.fleet.each(names, lambda host: act(host, asked[host.name])) if names else {}
        results: dict[str, T] = {}
        for name, answer in answers.items():
            if isinstance(answer, Exception):
                self.failures[name] = answer
                self.reasons |= {file: str(answer) for file in asked[name]}
                if not isinstance(answer, Failure):
                    raise answer
            else:
                results[name] = answer
        return results

    def _look(self, host: Host, files: Sequence[PackageFile]) -> dict[PackageFile, FileOffer]:
        return look(host, self.managers[host.name], files)

    def _fetch(self, host: Host, files: Sequence[PackageFile], offers: Mapping[PackageFile, FileOffer]) -> None:
        for file in files:
            if cached := offers[file].cached:
                self._take(host, file, cached, "cache")
        if not (rest := [file for file in files if offers[file].cached is None]):
            return
        depot = source_of(self.managers[host.name])
        reason, stands = _done(host, depot.download(rest, sum(offers[file].size for file in rest)))
        try:
            for file in rest:
                held = stands.get(file.file_name)
                if held is None:
                    self._refuse(file, f"{host.name}: {reason}")
                elif offers[file].digests and held.digest not in offers[file].digests:
                    self._refuse(file, f"{host.name}: what came is not what the index says")
                else:
                    self._take(host, file, held, "repository")
        finally:
            _clear(host)

    def _rebuild(self, host: Host, files: Sequence[PackageFile]) -> None:
        depot = source_of(self.managers[host.name])
        for file in files:
            reason, stands = _done(host, depot.rebuild(file))
            try:
                if held := stands.get(file.file_name):
                    self._take(host, file, held, "rebuilt")
                else:
                    self._refuse(file, f"{host.name}: {reason}")
            finally:
                _clear(host)

    def _take(self, host: Host, file: PackageFile, held: Held, source: Source) -> None:
        """Afterwards the file on the host is in escrow, or the reason why not is recorded."""
        try:
            digest = self.escrow.store.fill(lambda sink: host.download(held.path, sink), expected=held.digest)
        except (DigestMismatch, CommandFailed) as failure:
            self._refuse(file, f"{host.name}: {failure.message}")
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        kept = Kept(file, digest, self.escrow.store.size(digest), host.name, source, held.check, at)
        self.escrow.replace(kept)
        with self._lock:
            self.kept.append(kept)
            self.due.discard(file)
            self.tell(self._progress())

    def _refuse(self, file: PackageFile, reason: str) -> None:
        with self._lock:
            self.reasons[file] = reason

    def _progress(self) -> CollectProgress:
        done = sum(kept.size for kept in self.kept)
        ahead = sum(self.sizes.get(file, 0) for file in self.due)
        seconds = time.monotonic() - self._begun
        files = len(self.kept)
        return CollectProgress(
            files, files + len(self.due), done, done + ahead, seconds * ahead / done if done else None
        )


def source_of(manager: str) -> FileSource:
    """How hosts with this package manager give files."""
    return family_of(manager).files


def look(host: Host, manager: str, files: Sequence[PackageFile]) -> dict[PackageFile, FileOffer]:
    """What `host` can give of `files`, by its cache and its repositories. Reads only."""
    depot = source_of(manager)
    argv, stdin = depot.look(files)
    return depot.parse_look(host.run(argv, stdin=stdin, timeout=_LOOK_LIMIT).text, files)


def errands_of(
    offers: Mapping[str, Mapping[PackageFile, FileOffer]], due: Iterable[PackageFile]
) -> dict[str, list[PackageFile]]:
    """The host that each file is fetched from: a cache before a repository, then so that all hosts have similar work."""
    able = {
        host: {file: int(offer.cached is None) for file, offer in offered.items() if offer.cached or offer.offered}
        for host, offered in offers.items()
    }
    sizes = {
        file: max((offered[file].size for offered in offers.values() if file in offered), default=0) for file in due
    }
    return errands(able, sizes, sizes=sizes)


def _done(host: Host, argv: Sequence[str]) -> tuple[str, dict[str, Held]]:
    """The finished job `argv`: its last line, and the files on the host since. Raises `DiskFull`."""
    host.follow(JOB)  # of a controller that is no more
    host.forget(JOB)
    result = host.job(JOB, (argv,))
    if result.status != 0 and (line := full(result.text)):
        _clear(host)
        raise DiskFull(f"{host.name}: {line}", hint="make room there, then do it again: what came is kept")
    lines = [line for line in result.text.splitlines() if line.strip() and not line.startswith("held\t")]
    return lines[-1].strip() if lines else "nothing came", parse_held(result.text)


def _clear(host: Host) -> None:
    """Afterwards no gathered file is left on the host."""
    host.run(("rm", "-rf", "--", GATHERED))
    host.forget(JOB)
