"""Delivery: package files out of escrow on a host, so that its package manager installs them in the one transaction.

What was found by running it (apt 2.6.1, dnf 4.14):
- apt-get(8) takes each file as one more source with `--with-source FILE`. The words of a transaction stay what they are:
  `name:arch=version` finds the version in the file as it finds others in repositories, `-s` simulates it, and holds, removals and
  repositories all go together. A private `file:` repository would need `trusted=yes`, which we never say; a file named on the command
  line itself (`./file.deb`) would be a word that our own data made up.
- dnf's `history replay` finds a version wherever dnf's sack has it, and a plugin puts files there (`Base.add_remote_rpms`, which is
  what `dnf install ./file.rpm` calls). `--repofrompath` would need an index made on the host, and checks signatures as
  repositories do: what was rebuilt has none. Signatures of files are the host's to ask for (`localpkg_gpgcheck` in dnf.conf(5)); we
  set nothing.
Whatever is delivered was verified on the way out of the store, and is once more on the host, by digest. Of what the host keeps itself
nothing is sent.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from nornir_upgrade.core.errors import (
    CommandFailed,
    DigestMismatch,
    Failure,
    InvalidInput,
    TimedOut,
    Unobtainable,
    Unreachable,
)
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.packaging.package_file import DELIVERED, PackageFile
from nornir_upgrade.core.packaging.registry import families, family_of
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host

from . import host_copies
from .collect import look
from .escrow import Escrow, Kept

_WITHDRAW = ("rm", "-rf", "--", DELIVERED)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The files delivered to a host, and the `options` with which its package manager takes them."""

    manager: str
    paths: tuple[str, ...]
    options: tuple[str, ...]

    def known_to(self, argv: Sequence[str]) -> tuple[str, ...]:
        """`argv`, with options that offer the delivered files to its package manager.

        Raises `InvalidInput` where it does not call it.
        """
        if not self.options:
            return tuple(argv)
        program = family_of(self.manager).delivery.program
        if program not in argv:
            raise InvalidInput(f"{argv[0]} is no call of {program}")
        at = list(argv).index(program) + 1
        return (*argv[:at], *self.options, *argv[at:])

    def known_to_all(self, commands: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """`commands`, with these options in those that are transactions; marks and locks need no files."""
        word = family_of(self.manager).delivery.transaction_word
        return tuple(self.known_to(command) if word in command else tuple(command) for command in commands)

    @property
    def withdrawal(self) -> tuple[tuple[str, ...], ...]:
        """The last command of a job, which removes the delivered files."""
        return (_WITHDRAW,) if self.paths else ()


@contextmanager
def supplied(
    host: Host,
    store: Store,
    manager: str,
    want: Iterable[PackageWant],
    present: Iterable[Package],
    *,
    everything: bool = False,
) -> Iterator[Delivered]:
    """As `supply`, for a block that ends with a job whose last command is the `withdrawal`. Where it fails, the files are removed."""
    delivered = supply(host, store, manager, want, present, everything=everything)
    try:
        yield delivered
    except (Unreachable, TimedOut):
        raise  # a transaction may be at work with it
    except Failure:
        if delivered.paths:
            withdraw(host)
        raise


def supply(
    host: Host,
    store: Store,
    manager: str,
    want: Iterable[PackageWant],
    present: Iterable[Package],
    *,
    everything: bool = False,
) -> Delivered:
    """Afterwards every version in `want` that is not there, and that the host's own repositories do not offer, stands on `host`, as far
    as the escrow beside `store` has it; with `everything` those that they offer, too. A host that needs nothing of it is not even
    asked. Raises as `deliver`.
    """
    escrow, files = Escrow.beside(store), _due(manager, want, present)
    kept = [file for file in files if escrow.find(file)]
    offers = look(host, manager, kept) if kept and not everything else {}
    due = [file for file in kept if everything or not offers[file].offered]
    if due:
        return deliver(host, escrow, due, manager)
    return Delivered(manager, (), family_of(manager).delivery.without_files if files else ())


def keeps(store: Store, manager: str, want: Iterable[PackageWant], present: Iterable[Package]) -> bool:
    """Whether the escrow beside `store` has any version in `want` that is not there."""
    return any(map(Escrow.beside(store).find, _due(manager, want, present)))


def unfetched(failure: CommandFailed) -> bool:
    """Whether a transaction failed before it began, since a repository did not give a file: in the words of any manager."""
    return any(family.delivery.unfetched in failure.output for family in families())


def _due(manager: str, want: Iterable[PackageWant], present: Iterable[Package]) -> list[PackageFile]:
    format = family_of(manager).format.name
    there = {
        (package.key, package.version) for package in present if package.state == "installed" and not package.broken
    }
    wanted = (
        package for package in want if package.goal == "installed" and (package.key, package.version) not in there
    )
    return [PackageFile(format, package.name, package.arch, package.version) for package in wanted]


def deliver(host: Host, escrow: Escrow, files: Iterable[PackageFile], manager: str) -> Delivered:
    """Afterwards `files` are on `host`, which has this `manager`, each with its digest in escrow, and no others beside them.

    What stands there already is not sent again, nor what the host holds an undamaged copy of. Raises `Unobtainable` where the escrow
    does not hold one, `DigestMismatch` where it is damaged, `InvalidInput` for files of another format than the manager's.
    """
    kept = {f"{DELIVERED}/{file.file_name}": escrow.require(file) for file in files}
    family = family_of(manager)
    if {copy.file.family for copy in kept.values()} - {family.format.name}:
        raise InvalidInput(f"{host.name}: package files of another format than {family.format.name}")
    here = _emptied(host, kept)
    due = {path: copy for path, copy in kept.items() if here.get(path) != copy.digest}
    lent = _lent(host, {path: copy.digest for path, copy in due.items() if host.name in escrow.holders.of(copy.digest)})
    for path, copy in due.items():
        if path not in lent:
            _send(host, escrow, path, copy)
    _verify(host, kept)
    return Delivered(manager, tuple(kept), family.delivery.options(host, tuple(kept)) if kept else ())


def withdraw(host: Host) -> None:
    """Afterwards no delivered file is on the host."""
    host.run(_WITHDRAW)


def _emptied(host: Host, kept: Container[str]) -> dict[str, str]:
    """The files in the directory, by path, with digests. Others than `kept` are removed: dnf is offered every file there."""
    host.run(("install", "-d", "-m", "0700", "--", DELIVERED))
    digests = {state.path: state.digest for state in host.tree((DELIVERED,)) if state.kind == "file"}
    for path in digests:
        if path not in kept:
            host.place(FileState(path, "absent"))
    return digests


def _lent(host: Host, places: Mapping[str, str]) -> frozenset[str]:
    """The paths that now have the right file, from the host's own copies."""
    if not places:
        return frozenset()
    host_copies.lend(host, places)
    return frozenset(state.path for state in host.stat(tuple(places)) if state.digest == places[state.path])


def _send(host: Host, escrow: Escrow, path: str, copy: Kept) -> None:
    try:
        with escrow.store.open(copy.digest) as source:
            host.upload(source, path)
    except DigestMismatch as damage:
        raise DigestMismatch(
            f"{copy.file}: {damage.message}",
            hint="rollback escrow verify; rollback escrow fetch brings it anew, if it is to be had",
        ) from None
    except Unobtainable:
        where = ", ".join(escrow.holders.of(copy.digest))
        raise Unobtainable(
            f"the escrow holds no {copy.file} for {host.name}: the copies on {where} are lost or damaged",
            hint="rollback escrow verify; rollback escrow fetch brings it anew, if it is to be had",
        ) from None


def _verify(host: Host, kept: dict[str, Kept]) -> None:
    for state in host.stat(tuple(kept)):
        if state.digest != kept[state.path].digest:
            raise DigestMismatch(
                f"{host.name}: {state.path} is not what was sent", hint="see to its disk, then do it again"
            )
