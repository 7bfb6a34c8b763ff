"""apt as a `Family`: the manager of Debian and its descendants, with dpkg below it."""

from collections.abc import Collection, Sequence

from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.packaging.arrangement import Arrangement, Simulation
from nornir_upgrade.core.packaging.family import Family, Remedies
from nornir_upgrade.core.packaging.format import Format
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.state import KeptPlace
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


_PLACES = (
    KeptPlace("/root/.profile", "etc", "base-files' script writes root's start files; no conffile"),
    KeptPlace("/root/.bashrc", "etc", "base-files' script writes root's start files; no conffile"),
    KeptPlace("/etc/ssl/certs", "certificates", "the trusted roots, as update-ca-certificates(8) links them"),
    KeptPlace("/etc/ca-certificates.conf", "certificates", "which roots are trusted; no conffile"),
    KeptPlace("/usr/local/share/ca-certificates", "certificates", "an administrator's own roots", restored=False),
    KeptPlace("/var/lib/dpkg/alternatives", "alternatives", "update-alternatives(1) keeps its choices here"),
    # To divert is to move a file: the list alone, put back, would name files that are elsewhere.
    KeptPlace("/var/lib/dpkg/diversions", "diversions", "dpkg-divert(1) keeps its list here", restored=False),
    KeptPlace(
        "/var/lib/dpkg/statoverride", "statoverrides", "dpkg-statoverride(1) keeps its list here", records="path"
    ),
    KeptPlace("/var/cache/debconf/config.dat", "debconf", "the answers that scripts ask for", records="stanza"),
    KeptPlace("/var/cache/debconf/passwords.dat", "debconf", "the secret answers", records="stanza"),
    KeptPlace("/var/cache/debconf/templates.dat", "debconf", "the questions that the answers are to", records="stanza"),
    KeptPlace("/var/lib/ucf/hashfile", "registries", "ucf(1): what it last installed in /etc", records="path"),
    KeptPlace("/var/lib/ucf/registry", "registries", "ucf(1): which package a file in /etc is of", records="path"),
    KeptPlace("/var/lib/ucf/cache", "registries", "ucf(1): the texts that it last installed"),
    KeptPlace("/var/lib/systemd/deb-systemd-helper-enabled", "registries", "which units a script enabled once"),
    KeptPlace("/var/lib/systemd/deb-systemd-helper-masked", "registries", "which units a script masked"),
    KeptPlace("/var/lib/systemd/deb-systemd-user-helper-enabled", "registries", "the same of users' units"),
    KeptPlace("/var/lib/systemd/deb-systemd-user-helper-masked", "registries", "the same of users' units"),
    KeptPlace("/var/lib/pam", "registries", "pam-auth-update(8): what it wrote to /etc/pam.d"),
    KeptPlace("/var/lib/shells.state", "registries", "update-shells(8): which shells it put into /etc/shells"),
    KeptPlace("/var/lib/sgml-base", "registries", "update-catalog(8): the catalogs below /etc/sgml"),
    KeptPlace("/var/lib/xml-core", "registries", "update-xmlcatalog(8): the catalogs below /etc/xml"),
    KeptPlace("/var/lib/emacsen-common", "registries", "which add-on packages were set up"),
    KeptPlace("/var/lib/dictionaries-common", "registries", "which dictionaries were set up, and the default"),
    KeptPlace("/var/lib/dpkg/arch", "dpkg", "the foreign architectures", restored=False),
    KeptPlace("/var/lib/dpkg/triggers/File", "dpkg", "dpkg writes it when packages come and go", restored=False),
)

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
    places=_PLACES,
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
    judgement="rollback.packaging.deb.judgement:APT",
)
