"""dpkg and apt as a `PackageManager`: argument vectors, and parsers of what these print. Pure; `LC_ALL=C` is the host's part.

Every package word is `name:arch=version` or `name:arch-`, from parts that matched Debian's grammar: apt reads more than names
among its arguments (options, globs, regular expressions, `/suite`, trailing `+` and `-`), and none of that can come from data.
No option here ever weakens apt's checks of signatures.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageChange,
    PackageName,
    PackageWant,
    Repository,
    Transaction,
)
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version, found

from .transition import Act, Action, Transition

# Words that dpkg prints for a package (dpkg-query(1), db:Status-*).
SELECTIONS = ("install", "hold", "deinstall", "purge", "unknown")
STATES = (
    "config-files",
    "half-installed",
    "unpacked",
    "half-configured",
    "triggers-awaited",
    "triggers-pending",
    "installed",
)
FORMAT = r"${Package}\t${Architecture}\t${Version}\t${db:Status-Want}\t${db:Status-Eflag}\t${db:Status-Status}\n"
"""One package a line for `dpkg-query --show --showformat`; no field can hold a tab."""

_BEFORE_MARKS = "auto"
_AFTER_MARKS = "end"
QUERY = f"""\
dpkg-query --show --showformat "$1" && echo {_BEFORE_MARKS} && apt-mark showauto && echo {_AFTER_MARKS}
"""

# Only names mean packages, nothing comes along or goes that is not named, and nobody is asked anything (apt.conf(5)).
OPTIONS = (
    "-y",
    "-q",
    "--no-install-recommends",
    "-o",
    "APT::Cmd::Pattern-Only=true",
    "-o",
    "APT::Get::AutomaticRemove=false",
    "-o",
    "APT::Get::Purge=false",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
)

# What an administrator may have set, and what would come along, or garble what is said, by it.
PLAIN = tuple(
    f"-o{option}"
    for option in (
        "APT::Color=false",
        "APT::Install-Suggests=false",
        "Dpkg::Progress=false",
        "Dpkg::Progress-Fancy=false",
    )
)

# apt-get(8) -s: `Inst name[:arch] [old] (new origin, … [arch])`, `Remv name[:arch] [old]`; Conf lines change no version.
_INST = re.compile(
    r"Inst (?P<name>[^\s:]+)(?::\S+)? (?:\[(?P<old>[^\]]*)\] )?\((?P<new>\S+) .*\[(?P<arch>[^\]]+)\]\).*"
)
_CONF = re.compile(r"Conf (?P<name>[^\s:]+)(?::\S+)? \((?P<new>\S+) .*\[(?P<arch>[^\]]+)\]\).*")
_REMV = re.compile(r"(?:Remv|Purg) (?P<name>[^\s:]+)(?::(?P<arch>[^\s\]]+))? \[(?P<old>[^\]]*)\].*")

# apt-cache(8) policy.
_INDEX = re.compile(r" *(?P<priority>-?[0-9]+) (?P<source>(?:/|\S+:).*)")
# The address of a CD holds blanks in brackets. A flat repository has no suite, apt before 1.0 names no architecture.
_ADDRESS = re.compile(r"(?P<uri>(?:\[[^\]]*\]|\S)+)(?P<rest>.*)")
_RELEASE = re.compile(r" +release (?P<fields>.*)")


@dataclass(frozen=True, slots=True)
class Apt:
    """The package manager of Debian and its descendants."""

    def query(self) -> tuple[str, ...]:
        return ("sh", "-c", QUERY, "sh", FORMAT)

    def parse_query(self, text: str) -> tuple[Package, ...]:
        lines = text.splitlines()
        if _BEFORE_MARKS not in lines or lines[-1] != _AFTER_MARKS:
            raise InvalidInput(f"the list of packages is cut off at line {len(lines)}")
        middle = lines.index(_BEFORE_MARKS)
        return marked(parse_packages(lines[:middle]), lines[middle + 1 : -1])

    def simulate(self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool) -> tuple[str, ...]:
        return ("apt-get", "-s", *self._transaction(want, present, downgrade=downgrade))

    def parse_simulation(self, text: str, present: Sequence[Package]) -> Transaction:
        changes = [
            _change(line, number, present)
            for number, line in enumerate(text.splitlines(), 1)
            if line.startswith(("Inst ", "Remv ", "Purg "))
        ]
        return Transaction(tuple(sorted(changes, key=lambda change: (change.name, change.arch))))

    def change(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool, wait: int
    ) -> tuple[tuple[str, ...], ...]:
        """One apt-get, then dpkg for what must leave no configuration, then the marks, which apt-get does not keep:
        whatever is named on its command line becomes manual."""
        timeout = ("-o", f"DPkg::Lock::Timeout={wait}")
        install = ("apt-get", *timeout, *self._transaction(want, present, downgrade=downgrade))
        stay = [package for package in want if package.goal == "installed"]
        known = {package.key for package in present}
        purged = [package for package in want if package.goal == "absent" and package.key in known]
        commands = (
            install,
            ("dpkg", "--purge", *map(_word, purged)),
            ("apt-mark", "auto", *(_word(package) for package in stay if package.auto)),
            ("apt-mark", "manual", *(_word(package) for package in stay if not package.auto)),
            ("apt-mark", "hold", *(_word(package) for package in stay if package.hold)),
            ("apt-mark", "unhold", *(_word(package) for package in stay if not package.hold)),
        )
        return tuple(command for command in commands if command is install or len(command) > 2)

    def download(self, want: Sequence[PackageWant], present: Sequence[Package], *, wait: int) -> tuple[str, ...]:
        """What apt-get is told so that it fetches what `change` would, and does nothing with it."""
        timeout = ("-o", f"DPkg::Lock::Timeout={wait}")
        return (*timeout, "--download-only", *self._transaction(want, present, downgrade=False))

    def _transaction(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool
    ) -> Iterable[str]:
        now = {package.key: package for package in present}
        held = any(package.key in now and now[package.key].hold for package in want)
        # A broken package at its wanted version is installed anew only with this option, which is for every package that is named.
        again = any(
            package.key in now and now[package.key].broken and package.version == now[package.key].version
            for package in want
        )
        words = self._words(want, now, again=again)
        return install(words, downgrade=downgrade, held=held, again=again, plain=PLAIN)

    def _words(self, want: Sequence[PackageWant], now: Mapping[PackageName, Package], *, again: bool) -> Iterator[str]:
        for package in want:
            if package.goal == "installed" and not (again and _settled(package, now.get(package.key))):
                yield f"{_word(package)}={check_version(package.version)}"
            elif package.goal != "installed" and package.key in now and now[package.key].unpacked:
                yield f"{_word(package)}-"


def install(
    words: Iterable[str], *, downgrade: bool, held: bool, again: bool = False, plain: Sequence[str] = ()
) -> tuple[str, ...]:
    """What apt-get is told behind its name, so that it installs and removes what `words` name. `held`: though some are on hold;
    `again`: and installs anew what is at its version already. `plain`: more options, which guard against settings of the host."""
    flags = (("--allow-downgrades", downgrade), ("--allow-change-held-packages", held), ("--reinstall", again))
    return (*OPTIONS, *plain, *(flag for flag, wanted in flags if wanted), "install", "--", *words)


def parse_packages(lines: Sequence[str]) -> tuple[Package, ...]:
    """The packages that `FORMAT` lines tell of, without auto marks, sorted. Raises `InvalidInput` with line and reason."""
    packages = []
    for number, line in enumerate(lines, 1):
        try:
            package = parse_package(line)
        except InvalidInput as refusal:
            raise InvalidInput(f"list of packages, line {number}: {refusal.message}") from None
        if package:
            packages.append(package)
    return in_order(packages)


def in_order(packages: Iterable[Package]) -> tuple[Package, ...]:
    """`packages` by name and architecture."""
    return tuple(sorted(packages, key=attrgetter("name", "arch")))


@lru_cache(maxsize=1 << 16)
def parse_package(line: str) -> Package | None:
    """The package of one `FORMAT` line; None for one that dpkg has heard of and that is not there.

    The hosts of a fleet have most lines in common: each is read once."""
    fields = line.split("\t")
    if len(fields) != 6:
        raise InvalidInput(f"{len(fields)} fields instead of 6: {line!r}")
    name, arch, version, selection, error, state = fields
    if state == "not-installed":
        return None
    if state not in STATES or selection not in SELECTIONS or error not in ("ok", "reinstreq"):
        raise InvalidInput(f"unknown status {selection} {error} {state}")
    check_name(name, qualified=True)
    check_arch(arch)
    if version or state != "half-installed":  # one whose first unpacking was cut off has none yet
        found(version)
    return Package(name, arch, version, state, selection, False, error == "reinstreq")  # type: ignore[arg-type]


def marked(packages: Sequence[Package], auto: Iterable[str]) -> tuple[Package, ...]:
    """`packages` with apt's marks: `name`, or `name:arch`, where the host's own architecture is that of `all` as well."""
    own = native(packages)
    # What a name alone means, as `_arch` has it: the first of its architectures, or rather the first that is this host's.
    meant = {package.name: package.arch for package in reversed(packages)}
    meant |= {package.name: package.arch for package in reversed(packages) if package.arch in ("all", own)}
    words = (word.partition(":")[::2] for word in auto)
    marks = {(name, meant.get(name) if arch in ("", own) else arch) for name, arch in words}
    return tuple(_automatic(p) if (p.name, p.arch) in marks and p.unpacked else p for p in packages)


@lru_cache(maxsize=1 << 16)
def _automatic(package: Package) -> Package:
    return replace(package, auto=True)


def native(present: Iterable[Package]) -> str:
    """The host's own architecture: dpkg itself is always of it."""
    return next((package.arch for package in present if package.name == "dpkg"), "")


def resolve(name: str, arch: str, present: Sequence[Package]) -> PackageName:
    """Which package apt means by `name` and `arch`, where '' stands for the host's own architecture or `all`."""
    archs = [arch] if arch else [package.arch for package in present if package.name == name]
    return PackageName(name, _arch(archs, native(present)))


def _arch(archs: Sequence[str], own: str) -> str:
    """Which of `archs` apt takes on a host of architecture `own`, '' where there are none."""
    return next((arch for arch in archs if arch in ("all", own)), archs[0] if archs else "")


def _change(line: str, number: int, present: Sequence[Package]) -> PackageChange:
    if match := _INST.fullmatch(line):
        return PackageChange(match["name"], match["arch"], match["old"] or "", match["new"])
    if match := _REMV.fullmatch(line):
        return PackageChange(match["name"], resolve(match["name"], match["arch"] or "", present).arch, match["old"], "")
    raise InvalidInput(f"simulation, line {number}: not understood: {line!r}")


def _settled(package: PackageWant, now: Package | None) -> bool:
    return now is not None and now.version == package.version and now.unpacked and not now.interrupted


def _word(package: PackageWant) -> str:
    """The package by name and architecture. Of the host's own architecture or not: apt takes both alike."""
    return f"{check_name(package.name, qualified=True)}:{check_arch(package.arch)}"


def parse_order(text: str, transition: Transition) -> tuple[Action, ...]:
    """What a simulation would do, one after the other. Raises `InvalidInput` for a version that `transition` does not know."""
    ahead = {(deb.name, deb.arch, deb.version): deb for deb in transition.after.values()}
    actions = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := _INST.fullmatch(line) or _CONF.fullmatch(line):
            deb = ahead.get((match["name"], match["arch"], match["new"]))
            act: Act = "Unpack" if line.startswith("Inst ") else "Configure"
        elif match := _REMV.fullmatch(line):
            deb = transition.before.get(PackageName(match["name"], match["arch"] or transition.native))
            act = "Remove"
        else:
            continue
        if deb is None:
            raise InvalidInput(f"simulation, line {number}: no part of the transaction: {line!r}")
        actions.append(Action(act, deb))
    return tuple(actions)


def parse_policy(section: Section) -> tuple[Repository, ...]:
    """apt-cache(8) policy: an index in two or three lines, `priority uri dist/component arch Packages`, `release k=v,…`, `origin`."""
    repositories: list[Repository] = []
    inside = False
    for offset, line in section.lines():
        if not line.startswith(" "):
            inside = line == "Package files:"
            continue
        if not inside:
            continue
        if match := _INDEX.fullmatch(line):
            repositories += _repository(section, offset, int(match["priority"]), match["source"])
        elif match := _RELEASE.fullmatch(line):
            if repositories and line.strip() != "release a=now":
                repositories[-1] = _released(repositories[-1], match["fields"])
        elif not line.startswith("     origin "):
            raise section.fail(f"not understood: {line!r}", offset)
    return tuple(sorted(repositories, key=attrgetter("uri", "suite", "component", "arch")))


def _repository(section: Section, offset: int, priority: int, text: str) -> tuple[Repository, ...]:
    """None for a file of the host. A flat repository has no component: its suite is its place below the address."""
    try:
        source = policy_source(text)
    except InvalidInput as refusal:
        raise section.fail(refusal.message, offset) from None
    if source is None or not (source.local or source.suite):
        raise section.fail(f"not understood: {text!r}", offset)
    suite, _, component = source.suite.rpartition("/")
    return () if source.local else (Repository(priority, source.uri, suite, component, source.arch),)


def _released(repository: Repository, fields: str) -> Repository:
    """A value may hold commas; the next field begins with one letter and an equals sign."""
    values = dict(field.split("=", 1) for field in re.split(r",(?=[a-z]=)", fields) if "=" in field)
    return replace(
        repository,
        suite=values.get("a", repository.suite),
        component=values.get("c", repository.component),
        origin=values.get("o", ""),
        label=values.get("l", ""),
        codename=values.get("n", ""),
    )


@dataclass(frozen=True, slots=True)
class PolicySource:
    """An index, `suite` being suite and component (`bookworm/main`); or a file of the host, whose path is `uri`. '' is not known."""

    uri: str
    suite: str = ""
    arch: str = ""

    @property
    def local(self) -> bool:
        """Whether it is a file of the host."""
        return self.uri.startswith("/")


def policy_source(raw: str) -> PolicySource | None:
    """The source that `raw`, a line without its priority, describes; `None` where it stops after the address.

    Raises `InvalidInput` for anything else."""
    if raw.startswith("/"):
        return PolicySource(raw)
    match = _ADDRESS.fullmatch(raw)
    words = match["rest"].split() if match else []
    if match and not words:
        return None
    if not match or words[-1].lower() != "packages" or len(words) > 3:
        raise InvalidInput(f"{raw!r} is no source of packages")
    suite, arch = (*words[:-1], "", "")[:2]
    return PolicySource(match["uri"], suite, check_arch(arch) if arch else "")
