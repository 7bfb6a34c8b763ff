"""apt as a `Family`: the manager of Debian and its descendants, with dpkg below it."""

from collections.abc import Collection, Sequence

from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.packaging.arrangement import Arrangement, Simulation
from nornir_upgrade.core.packaging.family import Family, Remedies
from nornir_upgrade.core.packaging.format import Format
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.version import deb, evr

from . import arrangement, download, facts, index_repair, preview, probe, rehearsal, transaction
from .apt import Apt
from .arrangement import as_arranged
from .download import AptDelivery
from .file_source import AptFileSource
from .preview import AptOrigins
from .suites import AptRepositoryFiles


def _check_name(name: str) -> str:
    return evr.check_name(name, qualified=True)


def _check_version(_: str, version: str) -> str:
    return evr.check_version(version)


DEB = Format(
    name="deb",
    flavour="deb",
    check_name=_check_name,
    check_arch=evr.check_arch,
    check_version=_check_version,
    file_name=deb.file_name,
    suffix=".deb",
    purges=True,
    several=False,
    any_arch="all",
    judgement="rollback.packaging.deb.judgement:DEB",
)


class AptTransactions:
    """One apt transaction at a time: `transaction`, `arrangement`."""

    rehearsal = "apt-get -s"
    log = "/var/log/apt"
    audited = "dpkg --audit is clean"

    def check(self, want: PackageWant) -> None:
        evr.check_name(want.name, qualified=True)
        evr.check_arch(want.arch)
        if want.goal == "installed":
            evr.check_version(want.version)

    def wait_for_lock(self, host: Host) -> None:
        transaction.wait_until_quiet(host)

    def check_protected(self, host: Host, removed: Collection[tuple[str, str, str]]) -> None:
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

    def error_in_output(self, host: str, result: Result) -> Failure | None:
        return transaction.failure(host, result) if result.status != 0 else None

    def transaction_id(self, result: Result) -> str:
        """apt's history knows no numbers."""
        return ""

    def audit(self, host: Host) -> str:
        """dpkg(1), --audit."""
        result = host.run(("dpkg", "--audit"), check=False)
        return (result.text.strip() or result.errors.strip()) if result.text.strip() or result.status else ""


APT = Family(
    name="apt",
    format=DEB,
    own="[ -f /var/lib/dpkg/status ]",
    manager=Apt(),
    transactions=AptTransactions(),
    facts=facts,
    probe=probe,
    belongings=probe,
    preview=preview,
    rehearsal=rehearsal,
    cache=download,
    files=AptFileSource(),
    delivery=AptDelivery(),
    repositories=AptRepositoryFiles(),
    origins=AptOrigins(),
    configuration=transaction,
    # apt-mark(8), apt-cache(8), dpkg(1)
    remedies=Remedies(
        tool="apt",
        mend="on the host: dpkg --configure -a; dpkg --audit",
        try_out="see what it conflicts with: apt-get -s install, with the new repository",
        sources="on the host: apt-cache policy; is there a pin?",
        release="apt-mark unhold",
        update="apt-get update",
        clean="apt-get clean; apt-get autoremove",
        beside=".dpkg-dist",
        checking="take trusted=yes and allow-insecure=yes out there, and name the key with signed-by",
    ),
    repair_indexes=index_repair.mend,
)
