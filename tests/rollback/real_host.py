"""A host of about 1,100 packages from Debian's own indexes, upgraded in simulation by this machine's apt. No root, no host."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nornir_upgrade.core.apt import Apt
from nornir_upgrade.core.facts import HostFacts
from nornir_upgrade.core.packages import Package, PackageWant, Transaction
from rollback.universe import Deb, packages

from .apt_oracle import stanza
from .factory import facts

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = {
    "bookworm": ("debian bookworm",),
    "security": ("debian bookworm", "debian bookworm-updates", "debian-security bookworm-security"),
    "trixie": (
        "debian bookworm",
        "debian-security bookworm-security",
        "debian trixie",
        "debian-security trixie-security",
    ),
}
ASKED = [
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
]

State = Mapping[tuple[str, str], str]
"""Versions by name and architecture."""


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

    def apt(self, suites: str, *arguments: str) -> str:
        """What apt-get prints, which must succeed."""
        words = ("apt-get", "-o", f"Dir::Etc::sourcelist={self.root}/etc/{suites}.list", *arguments)
        environment = {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
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

    def installed(self, state: Iterable[Deb]) -> None:
        """Afterwards apt believes that these are on the host."""
        (self.root / "status").write_text("\n".join(map(stanza, sorted(state, key=lambda one: (one.name, one.arch)))))

    def after(self, suites: str, state: State, *arguments: str) -> dict[tuple[str, str], str]:
        """The state that `apt-get ARGUMENTS` would lead to."""
        transaction = Apt().parse_simulation(self.apt(suites, "-s", "-y", "-q", *arguments), present(state))
        return applied(transaction, state)

    def takes(self, suites: str, want: Sequence[PackageWant], state: State) -> dict[tuple[str, str], str]:
        """The state that apt would lead to when told to reach `want` in one transaction."""
        here = present(state)
        argv = Apt().simulate(want, here, downgrade=True)
        return applied(Apt().parse_simulation(self.apt(suites, *argv[1:]), here), state)


def applied(transaction: Transaction, state: State) -> dict[tuple[str, str], str]:
    found = dict(state)
    for change in sorted(transaction.changes, key=lambda change: bool(change.new)):
        for key in [key for key in found if key[0] == change.name]:
            del found[key]
        if change.new:
            found[change.name, change.arch] = change.new
    return found


def present(state: State, asked: Iterable[str] = ()) -> tuple[Package, ...]:
    manual = set(asked)
    return tuple(Package(n, a, v, "installed", "install", n not in manual) for (n, a), v in sorted(state.items()))


def as_facts(state: State, asked: Iterable[str]) -> HostFacts:
    return facts(packages=present(state, asked))


def read(text: str, names: set[str] | None = None) -> dict[tuple[str, str, str], Deb]:
    found: dict[tuple[str, str, str], Deb] = {}
    for one in packages(text, names):
        found.setdefault((one.name, one.arch, one.version), one)
    return found


def important(text: str) -> list[str]:
    """The names of priority required or important."""
    found = []
    for one in text.split("\n\n"):
        if "\nPriority: required\n" in one or "\nPriority: important\n" in one:
            found.append(one.lstrip("\n").partition("\n")[0].removeprefix("Package: "))
    return found
