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
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host

from . import host_copies
from .collect import look
from .escrow import Escrow, Family, Kept, PackageFile

DIRECTORY = "/var/lib/nornir-upgrade/escrow"
"""Where package files stand on a host; root's alone."""
PLUGIN = f"{DIRECTORY}/plugin"

# A repository that is no more must not stand in the way: dnf(8) refuses a version all the same that is not to be had.
_SKIP: Mapping[Family, tuple[str, ...]] = {"deb": (), "rpm": ("--setopt=*.skip_if_unavailable=True",)}

# The files are root's alone, since what was rebuilt holds configuration; apt asks for them as another user where a repository
# offers the same version and does not give it (apt.conf(5), APT::Sandbox::User).
_AS_ROOT = ("-o", "APT::Sandbox::User=root")

_UNFETCHED = ("Unable to fetch some archives", "Error downloading packages")
_WITHDRAW = ("rm", "-rf", "--", DIRECTORY)

# dnf(8) loads every plugin of its pluginpath; ours is one that is there for this one call.
_PLUGIN = b'''\
"""nornir-upgrade: the package files beside this directory can be had."""
import glob
import os

import dnf


class Escrow(dnf.Plugin):
    name = "nornir_upgrade_escrow"

    def sack(self):
        directory = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.base.add_remote_rpms(sorted(glob.glob(os.path.join(glob.escape(directory), "*.rpm"))))
'''

# Where dnf's plugins are otherwise, versionlock among them: the option that adds a directory must name the others again.
_PLUGIN_PATH = """\
exec "$(sed -n '1s/^#! *\\([^ ]*\\).*/\\1/p;q' "$(command -v dnf)")" -c '
import dnf
conf = dnf.Base().conf
conf.read()
print(",".join(conf.pluginpath))
'
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What stands on a host: `options` have its package manager know of it."""

    family: Family
    paths: tuple[str, ...]
    options: tuple[str, ...]

    def known_to(self, argv: Sequence[str]) -> tuple[str, ...]:
        """`argv`, which has its apt-get or dnf take the delivered files for versions that can be had.

        Raises `InvalidInput` where it calls neither.
        """
        if not self.options:
            return tuple(argv)
        program = "apt-get" if self.family == "deb" else "dnf"
        if program not in argv:
            raise InvalidInput(f"{argv[0]} is no call of {program}")
        at = list(argv).index(program) + 1
        return (*argv[:at], *self.options, *argv[at:])

    def known_to_all(self, commands: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """`commands`, of which those that are transactions know of the files; marks and locks are of what is there."""
        verb = "apt-get" if self.family == "deb" else "replay"
        return tuple(self.known_to(one) if verb in one else tuple(one) for one in commands)

    @property
    def withdrawal(self) -> tuple[tuple[str, ...], ...]:
        """The last of a job's commands: afterwards nothing of what was delivered is on the host."""
        return (_WITHDRAW,) if self.paths else ()


@contextmanager
def supplied(
    host: Host,
    store: Store,
    family: Family,
    want: Iterable[PackageWant],
    present: Iterable[Package],
    *,
    everything: bool = False,
) -> Iterator[Delivered]:
    """As `supply`, for a block that ends with a job which has the `withdrawal` at its end; where that fails, it is withdrawn too."""
    delivered = supply(host, store, family, want, present, everything=everything)
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
    family: Family,
    want: Iterable[PackageWant],
    present: Iterable[Package],
    *,
    everything: bool = False,
) -> Delivered:
    """Afterwards every version in `want` that is not there, and that the host's own repositories do not offer, stands on `host`, as far
    as the escrow beside `store` has it; with `everything` those that they offer, too. A host that needs nothing of it is not even
    asked. Raises as `deliver`.
    """
    escrow, files = Escrow.beside(store), _due(family, want, present)
    kept = [file for file in files if escrow.find(file)]
    offers = look(host, family, kept) if kept and not everything else {}
    due = [file for file in kept if everything or not offers[file].offered]
    return deliver(host, escrow, due) if due else Delivered(family, (), _SKIP[family] if files else ())


def keeps(store: Store, family: Family, want: Iterable[PackageWant], present: Iterable[Package]) -> bool:
    """Whether the escrow beside `store` has any version in `want` that is not there."""
    return any(map(Escrow.beside(store).find, _due(family, want, present)))


def unfetched(failure: CommandFailed) -> bool:
    """Whether a transaction died of what repositories did not give, before it began: in the words of apt-get and of dnf."""
    return any(words in failure.output for words in _UNFETCHED)


def _due(family: Family, want: Iterable[PackageWant], present: Iterable[Package]) -> list[PackageFile]:
    there = {(one.key, one.version) for one in present if one.state == "installed" and not one.broken}
    wanted = (one for one in want if one.goal == "installed" and (one.key, one.version) not in there)
    return [PackageFile(family, one.name, one.arch, one.version) for one in wanted]


def deliver(host: Host, escrow: Escrow, files: Iterable[PackageFile]) -> Delivered:
    """Afterwards `files` stand on `host`, each with the digest that it has in escrow, and no other package files beside them.

    What stands there already is not sent again, nor what the host holds an undamaged copy of. Raises `Unobtainable` where the escrow
    does not hold one, `DigestMismatch` where it is damaged, `InvalidInput` for files of two families.
    """
    kept = {f"{DIRECTORY}/{file.file_name}": escrow.require(file) for file in files}
    families = {one.file.family for one in kept.values()}
    if len(families) > 1:
        raise InvalidInput(f"{host.name}: package files of two families")
    here = _emptied(host, kept)
    due = {path: one for path, one in kept.items() if here.get(path) != one.digest}
    lent = _lent(host, {path: one.digest for path, one in due.items() if host.name in escrow.holders.of(one.digest)})
    for path, one in due.items():
        if path not in lent:
            _send(host, escrow, path, one)
    _verify(host, kept)
    family: Family = families.pop() if families else "deb"
    return Delivered(family, tuple(kept), _options(host, family, tuple(kept)))


def withdraw(host: Host) -> None:
    """Afterwards nothing of what was delivered is on the host."""
    host.run(_WITHDRAW)


def _emptied(host: Host, kept: Container[str]) -> dict[str, str]:
    """What stands in the directory, by path, with its digest: afterwards `kept` at most, for dnf is offered whatever is in it."""
    host.run(("install", "-d", "-m", "0700", "--", DIRECTORY))
    found = {state.path: state.digest for state in host.tree((DIRECTORY,)) if state.kind == "file"}
    for path in found:
        if path not in kept:
            host.place(FileState(path, "absent"))
    return found


def _lent(host: Host, places: Mapping[str, str]) -> frozenset[str]:
    """The paths at which there stands now what should, of the host's own copies."""
    if not places:
        return frozenset()
    host_copies.lend(host, places)
    return frozenset(state.path for state in host.stat(tuple(places)) if state.digest == places[state.path])


def _send(host: Host, escrow: Escrow, path: str, one: Kept) -> None:
    try:
        with escrow.store.open(one.digest) as source:
            host.upload(source, path)
    except DigestMismatch as damage:
        raise DigestMismatch(
            f"{one.file}: {damage.message}",
            hint="rollback escrow verify; rollback escrow fetch brings it anew, if it is to be had",
        ) from None
    except Unobtainable:
        where = ", ".join(escrow.holders.of(one.digest))
        raise Unobtainable(
            f"the escrow holds no {one.file} for {host.name}: the copies on {where} are lost or damaged",
            hint="rollback escrow verify; rollback escrow fetch brings it anew, if it is to be had",
        ) from None


def _verify(host: Host, kept: dict[str, Kept]) -> None:
    for state in host.stat(tuple(kept)):
        if state.digest != kept[state.path].digest:
            raise DigestMismatch(
                f"{host.name}: {state.path} is not what was sent", hint="see to its disk, then do it again"
            )


def _options(host: Host, family: Family, paths: Sequence[str]) -> tuple[str, ...]:
    if not paths:
        return ()
    if family == "deb":
        return (*_AS_ROOT, *(word for path in paths for word in ("--with-source", path)))
    host.run(("install", "-d", "-m", "0700", "--", PLUGIN))
    host.write(f"{PLUGIN}/nornir_upgrade_escrow.py", _PLUGIN, mode="0600")
    others = host.run(("sh", "-c", _PLUGIN_PATH)).text.strip()
    if not others:
        raise CommandFailed(host.name, "dnf's plugins", 0, "dnf does not say where its plugins are")
    return (f"--setopt=pluginpath={PLUGIN},{others}", *_SKIP[family])
