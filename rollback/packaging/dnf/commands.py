"""The way back as dnf commands, for a person. Pure."""

from collections.abc import Sequence

from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf, handed
from nornir_upgrade.core.packaging.lock import LOCK_WAIT
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.version import nevra
from rollback.packaging.judgement import Moved

_DNF = ("dnf", "-y")


class DnfCommands:
    """A host's packages are known, so that its transaction is replayed; for a list only names can be given to dnf."""

    def of_host(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
        """dnf reads the transaction as data on standard input. A second one, where packages that were cut off are installed again."""
        commands = Dnf().change(want, present, downgrade=True, wait=LOCK_WAIT)
        return tuple(_piped(argv) for argv in commands if "replay" in argv)

    def of_list(self, moved: Sequence[Moved], native: str) -> tuple[str, ...]:
        """One command for what comes, and where something goes a second one for that.

        dnf takes `install` of an older version as an order to downgrade.
        """
        come = sorted(
            {
                nevra.in_words(package.target_name, package.target, package.arch)
                for package in moved
                if package.action != "remove"
            }
        )
        gone = [package for package in moved if package.action in ("remove", "rename")]
        go = sorted({nevra.in_words(package.name, package.installed, package.arch) for package in gone})
        lines = [quote((*_DNF, "install", "--allowerasing", *come))] if come else []
        return (*lines, *([quote((*_DNF, "remove", *go))] if go else []))


def _piped(argv: Sequence[str]) -> str:
    """The command without the script around it, which waits for locks and hands over the plan."""
    return f"printf %s {quote((handed(argv),))} | {quote(argv[argv.index('dnf') :])}"
