"""A host of about 1,100 packages from Debian's own indexes, upgraded in simulation by this machine's apt. No root, no host."""

import os
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nornir_upgrade.core.facts.gather import HostFacts, OperatingSystem
from nornir_upgrade.core.packaging.deb.apt import Apt
from nornir_upgrade.core.packaging.deb.dependencies import FIELDS
from nornir_upgrade.core.packaging.model import Package, PackageWant, Transaction
from rollback.packaging.candidate import Candidate, Catalog, catalog

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = {
    "bookworm": ("debian bookworm",),
    "security": ("debian bookworm", "debian bookworm-updates", "debian-security bookworm-security"),
    "trixie": ("debian bookworm", "debian trixie", "debian-security trixie-security"),
}
ASKED = (
    "mariadb-server",
    "keystone",
    "nova-api",
    "neutron-server",
    "glance",
    "cinder-api",
    "openstack-dashboard",
    "rabbitmq-server",
    "haproxy",
    "memcached",
    "nginx",
    "php-fpm",
    "openssh-server",
    "build-essential",
    "linux-image-amd64",
    "htop",
    "vim",
    "git",
    "tcpdump",
)
_DEBIAN = OperatingSystem("debian", "12", "bookworm", "deb", "amd64", "6.1.0", "0" * 32)

State = Mapping[tuple[str, str], str]
"""Versions by name and architecture."""
Version = tuple[str, str, str]
"""Name, architecture and version."""


def own_mirror() -> str:
    """Where this machine itself gets Debian from, without the last part of the path (`/debian`)."""
    argv = ("apt-get", "indextargets", "--format", "$(SITE)")
    sites = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return next(site for site in sites if site.endswith("/debian")).removesuffix("/debian")


@dataclass(frozen=True)
class RealHost:
    """An apt below `root`, with the suites of `SUITES` as its sources, each under its name."""

    root: Path

    def fetch(self) -> None:
        """Afterwards the indexes of every suite are there."""
        for name in ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "cache/archives/partial"):
            (self.root / name).mkdir(parents=True)
        mirror = own_mirror()
        for name, suites in SUITES.items():
            lines = (f"deb [signed-by={KEY}] {mirror}/{suite} main\n" for suite in suites)
            (self.root / f"etc/{name}.list").write_text("".join(lines))
        (self.root / "status").touch()
        (self.root / "apt.conf").write_text(
            f'Dir::Etc "{self.root}/etc";\nDir::State "{self.root}";\nDir::State::lists "{self.root}/lists";\n'
            f'Dir::State::status "{self.root}/status";\nDir::Cache "{self.root}/cache";\nDebug::NoLocking "1";\n'
            'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAcquire::Languages "none";\n'
            'APT::Sandbox::User "";\nDir::Etc::parts "/dev/null";\n'
        )
        for name in ("security", "trixie"):
            self.apt(name, "-qq", "-o", "APT::Get::List-Cleanup=false", "update")

    @property
    def environment(self) -> dict[str, str]:
        """In which apt-get is the one of this host."""
        return {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C"}

    def argv(self, suites: str, *arguments: str) -> list[str]:
        """The command that tells the host's apt-get `arguments`."""
        return ["apt-get", "-o", f"Dir::Etc::sourcelist={self.root}/etc/{suites}.list", *arguments]

    def apt(self, suites: str, *arguments: str) -> str:
        """What apt-get prints, which must succeed."""
        words = self.argv(suites, *arguments)
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    def index(self, suites: str) -> str:
        """Every stanza that the suites offer, in apt's order."""
        files = self.apt(suites, "indextargets", "--format", "$(FILENAME)", "Identifier: Packages").split()
        texts = (
            subprocess.run(("/usr/lib/apt/apt-helper", "cat-file", file), capture_output=True, check=True)
            for file in files
        )
        return "\n\n".join(done.stdout.decode() for done in texts)

    def install(self, stanzas: Iterable[str]) -> None:
        """Afterwards apt believes that these are on the host, and nothing else."""
        there = (one.replace("\n", "\nStatus: install ok installed\n", 1) for one in sorted(stanzas))
        (self.root / "status").write_text("".join(f"{one}\n\n" for one in there))

    def after(self, suites: str, state: State, *arguments: str) -> dict[tuple[str, str], str]:
        """The state that `apt-get ARGUMENTS` would lead to."""
        transaction = Apt().parse_simulation(self.apt(suites, "-s", "-y", "-q", *arguments), _present(state))
        return _applied(transaction, state)

    def back(self, want: Sequence[PackageWant], state: State) -> list[str]:
        """What to tell apt-get, so that it shows how it would reach `want` in one transaction."""
        return list(Apt().simulate(want, _present(state), downgrade=True)[1:])

    def takes(self, suites: str, want: Sequence[PackageWant], state: State) -> dict[tuple[str, str], str]:
        """The state that apt would lead to when told to reach `want` in one transaction."""
        printed = self.apt(suites, *self.back(want, state))
        return _applied(Apt().parse_simulation(printed, _present(state)), state)


@dataclass(frozen=True)
class Upgrade:
    """A host before and after, and the stanzas of all that is known of its packages."""

    host: RealHost
    suites: str
    before: State
    after: State
    asked: tuple[str, ...]
    stanzas: Mapping[Version, str]

    @property
    def then(self) -> HostFacts:
        """The host before."""
        return _facts(self.before, self.asked)

    @property
    def now(self) -> HostFacts:
        """The host after."""
        return _facts(self.after, self.asked)

    @property
    def changed(self) -> list[Version]:
        """What was there before and is no more, sorted."""
        return sorted((*key, version) for key, version in self.before.items() if self.after.get(key) != version)

    @cached_property
    def candidates(self) -> dict[Version, Candidate]:
        """All that the suites offer of the host's packages."""
        return {key: _candidate(stanza) for key, stanza in self.stanzas.items()}

    def offered(self, lost: Collection[Version] = ()) -> Catalog:
        """What can be had when these versions are lost."""
        there = {(*key, version): self.candidates[*key, version].control for key, version in self.after.items()}
        return catalog((one for key, one in self.candidates.items() if key not in lost), there)


def upgrade(host: RealHost, suites: str) -> Upgrade:
    """The host of bookworm with `ASKED` and all that is important, after its upgrade to `suites`, which apt then believes it is in."""
    host.install(())
    old = host.index("bookworm")
    asked = (*_important(old), *ASKED)
    before = host.after("bookworm", {}, "install", *asked)
    known = _stanzas(old, {name for name, _ in before})
    host.install(known[*key, version] for key, version in before.items())
    after = host.after(suites, before, "dist-upgrade")
    known = _stanzas(host.index(suites), {name for name, _ in (*before, *after)})
    host.install(known[*key, version] for key, version in after.items())
    return Upgrade(host, suites, before, after, asked, known)


def _applied(transaction: Transaction, state: State) -> dict[tuple[str, str], str]:
    found = dict(state)
    for change in sorted(transaction.changes, key=lambda change: bool(change.new)):
        for key in [key for key in found if key[0] == change.name]:
            del found[key]
        if change.new:
            found[change.name, change.arch] = change.new
    return found


def _present(state: State, asked: Iterable[str] = ()) -> tuple[Package, ...]:
    manual = set(asked)
    return tuple(Package(n, a, v, "installed", "install", n not in manual) for (n, a), v in sorted(state.items()))


def _facts(state: State, asked: Iterable[str]) -> HostFacts:
    return HostFacts("real", "2026-01-01T00:00:00.000+00:00", _DEBIAN, _present(state, asked), (), (), (), ())


def _stanzas(text: str, names: Collection[str]) -> dict[Version, str]:
    """The stanzas of these packages; of those of one version the first."""
    found: dict[Version, str] = {}
    for stanza in text.split("\n\n"):
        stanza = stanza.strip("\n")
        if stanza.partition("\n")[0].removeprefix("Package: ") in names:
            fields = _fields(stanza)
            found.setdefault((fields["Package"], fields["Architecture"], fields["Version"]), stanza)
    return found


def _candidate(stanza: str) -> Candidate:
    fields = _fields(stanza)
    control = tuple((name, fields[name]) for name in FIELDS if name in fields)
    return Candidate(fields["Package"], fields["Architecture"], fields["Version"], "archive", control=control)


def _fields(stanza: str) -> dict[str, str]:
    lines = (line.partition(":") for line in stanza.replace("\n ", " ").splitlines())
    return {name: value.strip() for name, _, value in lines}


def _important(text: str) -> list[str]:
    """The names of priority required or important."""
    found = []
    for one in text.split("\n\n"):
        if "\nPriority: required\n" in one or "\nPriority: important\n" in one:
            found.append(one.lstrip("\n").partition("\n")[0].removeprefix("Package: "))
    return found
