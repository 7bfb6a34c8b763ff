"""The two families of hosts: which package manager a host has, and how one transaction of it is done."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

from nornir_upgrade.core.errors import CommandFailed, Failure, InvalidInput, SimulationDiffers
from nornir_upgrade.core.packaging.deb.apt import Apt
from nornir_upgrade.core.packaging.deb.arrangement import Arrangement, Simulation, as_arranged
from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.version import evr, nevra

from .deb import arrangement, transaction
from .dnf import arrangement as rpm_arrangement
from .dnf import dnf4, history
from .dnf import failure as dnf_failure
from .dnf import transaction as transaction_rpm
from .model import PackageManager, PackageWant

Name = Literal["deb", "rpm"]
_SSHD = "openssh-server"


class Family(Protocol):
    """A package manager, and the habits of its transactions. `rehearsal` is how one is only
    simulated, `log` where the manager keeps its own record."""

    manager: PackageManager
    rehearsal: str
    log: str

    def check(self, want: PackageWant) -> None:
        """Refuses what is no name, architecture or version before anything hears of it. Raises `InvalidInput`."""
        ...

    def quieten(self, host: Host) -> None:
        """Afterwards nobody changes packages on the host. Raises `PackageManagerLocked` where that takes too long."""
        ...

    def refuse(self, host: Host, going: Collection[tuple[str, str, str]]) -> None:
        """Raises `SimulationDiffers` where one of the versions that are `going` (name, architecture, version) must stay, which the
        manager itself would not refuse."""
        ...

    def simulate(self, host: Host, argv: Sequence[str]) -> Simulation:
        """What `argv` says, which the manager made to simulate a transaction."""
        ...

    def arrange(self, host: Host, simulation: Simulation, *, downgrade: bool) -> Arrangement:
        """How the simulated transaction is carried out, so that the host is usable at every moment. What that needs stands on the
        host then. Raises `UnsafeOrder`."""
        ...

    def commands(
        self, change: Sequence[Sequence[str]], keep_stopped: Sequence[str], arrangement: Arrangement
    ) -> tuple[tuple[str, ...], ...]:
        """The manager's commands, of which the first is the transaction, as a job that mends first what a killed one left, keeps the
        services `keep_stopped` from being started, and loses no file."""
        ...

    def failure(self, host: str, result: Result, command: str) -> Failure:
        """What a call of `command` died of."""
        ...

    def complaint(self, host: str, result: Result) -> Failure | None:
        """What went wrong in a transaction, though it may have ended with status 0."""
        ...

    def record(self, result: Result) -> str:
        """By what name the host's own history knows a transaction that ended well; '' where it has none."""
        ...

    def audit(self, host: Host) -> str:
        """Which packages are not whole, in words; empty where there are none."""
        ...


class Deb:
    """Debian's and its descendants': dpkg and apt."""

    manager: PackageManager = Apt()
    rehearsal = "apt-get -s"
    log = "/var/log/apt"

    def check(self, want: PackageWant) -> None:
        evr.check_name(want.name, qualified=True)
        evr.check_arch(want.arch)
        if want.goal == "installed":
            evr.check_version(want.version)

    def quieten(self, host: Host) -> None:
        transaction.wait_until_quiet(host)

    def refuse(self, host: Host, going: Collection[tuple[str, str, str]]) -> None:
        """apt refuses to remove what is essential, and a running kernel's package asks by itself."""

    def simulate(self, host: Host, argv: Sequence[str]) -> Simulation:
        return arrangement.simulate(host, argv)

    def arrange(self, host: Host, simulation: Simulation, *, downgrade: bool) -> Arrangement:
        arranged = arrangement.arrange(host.name, simulation, downgrade=downgrade)
        arrangement.prepare(host, arranged)
        return arranged

    def commands(
        self, change: Sequence[Sequence[str]], keep_stopped: Sequence[str], arrangement: Arrangement
    ) -> tuple[tuple[str, ...], ...]:
        """A dpkg that was killed between two packages leaves its journal behind, and none of them interrupted."""
        first, *rest = change
        transact = as_arranged(arrangement, first)
        return (transaction.merge_journal(), transaction.guarded(transact, keep_stopped), *map(tuple, rest))

    def failure(self, host: str, result: Result, command: str) -> Failure:
        return transaction.failure(host, result, command)

    def complaint(self, host: str, result: Result) -> Failure | None:
        return transaction.failure(host, result) if result.status != 0 else None

    def record(self, result: Result) -> str:
        """apt's history knows no numbers."""
        return ""

    def audit(self, host: Host) -> str:
        """dpkg(1), --audit."""
        result = host.run(("dpkg", "--audit"), check=False)
        return (result.text.strip() or result.errors.strip()) if result.text.strip() or result.status else ""


class Rpm:
    """Red Hat's and its kin's: rpm and dnf 4."""

    manager: PackageManager = Dnf()
    rehearsal = "dnf --assumeno"
    log = "/var/log/dnf.rpm.log"

    def check(self, want: PackageWant) -> None:
        nevra.check_name(want.name)
        nevra.check_arch(want.arch)
        if want.goal == "config-files":
            raise InvalidInput(f"{want.name}: rpm knows no removed package that keeps its configuration")
        if want.version or want.goal == "installed":
            nevra.in_words(want.name, want.version)

    def quieten(self, host: Host) -> None:
        transaction_rpm.wait_until_quiet(host)

    def refuse(self, host: Host, going: Collection[tuple[str, str, str]]) -> None:
        """What dnf is told to protect it protects; the running kernel only by the name of its image."""
        if stay := transaction_rpm.running_kernel(host).intersection(going) if going else ():
            names = ", ".join(sorted(f"{name} {version}" for name, _, version in stay))
            raise SimulationDiffers(
                f"{host.name}: runs on the kernel of {names}, which would go", hint="nothing was done"
            )

    def simulate(self, host: Host, argv: Sequence[str]) -> Simulation:
        return rpm_arrangement.simulate(host, argv)

    def arrange(self, host: Host, simulation: Simulation, *, downgrade: bool) -> Arrangement:
        """rpm orders a transaction by itself, before its first file: what that order cannot keep usable is several transactions."""
        return rpm_arrangement.arrange(host.name, simulation)

    def commands(
        self, change: Sequence[Sequence[str]], keep_stopped: Sequence[str], arrangement: Arrangement
    ) -> tuple[tuple[str, ...], ...]:
        """All of them are guarded: there may be several transactions. rpm's database mends itself, and a killed transaction's
        packages are among the changes."""
        first, *rest = change
        every = (*dnf4.parted(first, arrangement.parts), *rest) if arrangement.parts else change
        commands = (transaction_rpm.guarded(_with_sshd(one), keep_stopped if _replays(one) else ()) for one in every)
        return (*commands, history.NUMBERS)

    def failure(self, host: str, result: Result, command: str) -> Failure:
        return dnf_failure.failure(host, result, command)

    def complaint(self, host: str, result: Result) -> Failure | None:
        """A scriptlet that failed after its package was unpacked is told of in the output alone."""
        failure = dnf_failure.failure(host, result)
        told = isinstance(failure, CommandFailed) and dnf_failure.of_script(result)
        return failure if result.status != 0 or told else None

    def record(self, result: Result) -> str:
        return history.numbers(result.text)

    def audit(self, host: Host) -> str:
        found = self.manager.parse_query(host.run(self.manager.query()).text)
        return "; ".join(f"{one.key} {one.version} was left halfway" for one in found if one.broken)


def _replays(command: Sequence[str]) -> bool:
    return "replay" in command


def _with_sshd(command: Sequence[str]) -> Sequence[str]:
    exchanged = _replays(command) and _SSHD in dnf4.comes(dnf4.handed(command))
    return transaction_rpm.with_listener(command) if exchanged else command


FAMILIES: Mapping[str, Family] = {"deb": Deb(), "rpm": Rpm()}


def family_of(name: str) -> Family:
    """Raises `InvalidInput` for a name that is none."""
    if name not in FAMILIES:
        raise InvalidInput(f"{name!r} is no family of hosts", hint=f"one of {', '.join(FAMILIES)}")
    return FAMILIES[name]
