"""dnf 4 as a `Family`: the manager of Red Hat Enterprise Linux 8 and 9 and their kin, with rpm below it."""

from collections.abc import Collection, Sequence

from nornir_upgrade.core.errors import CommandFailed, Failure, InvalidInput, SimulationDiffers
from nornir_upgrade.core.packaging.arrangement import Arrangement, Simulation
from nornir_upgrade.core.packaging.family import Family, Remedies
from nornir_upgrade.core.packaging.model import PackageManager, PackageWant
from nornir_upgrade.core.packaging.rpm.format import RPM
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.version import nevra

from . import arrangement as arrangements
from . import dnf4, download, facts, history, preview, probe, rehearsal, transaction
from . import failure as dnf_failure
from .dnf4 import Dnf
from .download import DnfDelivery
from .file_source import DnfFileSource
from .preview import DnfOrigins
from .repository_files import DnfRepositoryFiles

_MANAGER: PackageManager = Dnf()
_SSHD = "openssh-server"


class DnfTransactions:
    """One dnf transaction at a time, or several where a single one is not safe: `transaction`, `arrangement`."""

    rehearsal = "dnf --assumeno"
    log = "/var/log/dnf.rpm.log"
    audited = "no package was left halfway"

    def check(self, want: PackageWant) -> None:
        nevra.check_name(want.name)
        nevra.check_arch(want.arch)
        if want.goal == "config-files":
            raise InvalidInput(f"{want.name}: rpm knows no removed package that keeps its configuration")
        if want.version or want.goal == "installed":
            nevra.in_words(want.name, want.version)

    def wait_for_lock(self, host: Host) -> None:
        transaction.wait_until_quiet(host)

    def check_protected(self, host: Host, removed: Collection[tuple[str, str, str]]) -> None:
        """What dnf is told to protect it protects; the running kernel only by the name of its image."""
        if stay := transaction.running_kernel(host).intersection(removed) if removed else ():
            names = ", ".join(sorted(f"{name} {version}" for name, _, version in stay))
            raise SimulationDiffers(
                f"{host.name}: runs on the kernel of {names}, which would go", hint="nothing was done"
            )

    def simulate(self, host: Host, argv: Sequence[str]) -> Simulation:
        return arrangements.simulate(host, argv)

    def arrange(self, host: Host, simulation: Simulation, *, downgrade: bool) -> Arrangement:
        """rpm orders a transaction by itself, before its first file: what that order cannot keep usable is several transactions."""
        return arrangements.arrange(host.name, simulation)

    def commands(
        self, change: Sequence[Sequence[str]], keep_stopped: Sequence[str], arrangement: Arrangement
    ) -> tuple[tuple[str, ...], ...]:
        """All of them are guarded: there may be several transactions. rpm's database mends itself, and a killed transaction's
        packages are among the changes."""
        first, *rest = change
        parts = arrangement.parts if isinstance(arrangement, arrangements.PartedArrangement) else ()
        every = (*dnf4.parted(first, parts), *rest) if parts else change
        commands = (transaction.guarded(_with_sshd(one), keep_stopped if _replays(one) else ()) for one in every)
        return (*commands, history.NUMBERS)

    def failure(self, host: str, result: Result, command: str) -> Failure:
        return dnf_failure.failure(host, result, command)

    def error_in_output(self, host: str, result: Result) -> Failure | None:
        """A scriptlet that failed after its package was unpacked is told of in the output alone."""
        failure = dnf_failure.failure(host, result)
        told = isinstance(failure, CommandFailed) and dnf_failure.of_script(result)
        return failure if result.status != 0 or told else None

    def transaction_id(self, result: Result) -> str:
        return history.numbers(result.text)

    def audit(self, host: Host) -> str:
        found = _MANAGER.parse_query(host.run(_MANAGER.query()).text)
        return "; ".join(f"{one.key} {one.version} was left halfway" for one in found if one.broken)


def _replays(command: Sequence[str]) -> bool:
    return "replay" in command


def _with_sshd(command: Sequence[str]) -> Sequence[str]:
    exchanged = _replays(command) and _SSHD in dnf4.comes(dnf4.handed(command))
    return transaction.with_listener(command) if exchanged else command


DNF4 = Family(
    name="dnf4",
    format=RPM,
    # dpkg may be installed on such a host, as a program that has no packages.
    own="[ -e /var/lib/rpm ] && [ ! -f /var/lib/dpkg/status ]",
    manager=_MANAGER,
    transactions=DnfTransactions(),
    facts=facts,
    probe=probe,
    belongings=probe,
    preview=preview,
    rehearsal=rehearsal,
    cache=download,
    files=DnfFileSource(),
    delivery=DnfDelivery(),
    repositories=DnfRepositoryFiles(),
    origins=DnfOrigins(),
    configuration=transaction,
    # dnf(8), dnf-versionlock(8), and rpm(8)
    remedies=Remedies(
        tool="dnf",
        mend="on the host: dnf remove --duplicates, and dnf reinstall of what was left halfway",
        try_out="see what it conflicts with: dnf --assumeno install, with the new repository",
        sources="on the host: dnf repolist -v; is there an excludepkgs, or a priority?",
        release="dnf versionlock delete",
        update="dnf --refresh makecache",
        clean="dnf clean packages; dnf autoremove",
        beside=".rpmnew",
        checking="set gpgcheck=1 there, and gpgkey to the repository's key",
    ),
    judgement="rollback.packaging.dnf.judgement:DNF4",
)
