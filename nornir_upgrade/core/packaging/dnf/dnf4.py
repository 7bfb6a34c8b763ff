"""rpm and dnf 4 as a `PackageManager`: argument vectors, and parsers of what these print. Pure; `LC_ALL=C` is the host's part.

All of it was run for real, with dnf 4.14. dnf 5 and yum 3 are not supported.

dnf 4 is told a whole transaction as data (`dnf history replay`, of which dnf 4.5 was the first): it does exactly that, and
refuses where a version is not to be had or anything else would come along. `dnf install` cannot name what is to go, and
`dnf shell`, which can, goes on without a package that it does not find and always ends with status 0. Words go to dnf only from
parts that matched rpm's grammar: it reads more than names among its arguments (options even behind `--`, globs, paths, URLs,
`@group`). No option here ever weakens the checks of signatures.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageName,
    PackageWant,
    Transaction,
    by_key,
    by_name,
    moved,
    standing_for,
)
from nornir_upgrade.core.packaging.rpm import query as rpmquery
from nornir_upgrade.core.packaging.rpm.versionlock import LIST, parse_list
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.core.version import nevra
from nornir_upgrade.core.version.evr import Key, parse, sort_key

from . import history as dnf_history
from . import table

# Nothing comes along or goes that is not named, a kernel leaves the others alone, nobody waits in silence, and what is parsed is there
# and without colours, whatever dnf.conf says (dnf.conf(5)).
OPTIONS = tuple(
    f"--setopt={option}"
    for option in (
        "install_weak_deps=False",
        "clean_requirements_on_remove=False",
        "installonly_limit=0",
        "strict=True",
        "color=never",
        "debuglevel=2",
        "errorlevel=3",
        "deltarpm=False",
        "exit_on_lock=True",
    )
)

# Linux takes no argument longer than 128 KiB (execve(2)), and a plan of a thousand packages is longer: it comes as so many pieces.
_PIECE = 1 << 16
_TAKE = """\
pieces=$1 plan=; shift
while [ "$pieces" -gt 0 ]; do
  plan=$plan$1 pieces=$((pieces - 1)); shift
done
"""

CAME, WENT = ("Install", "Upgrade", "Downgrade"), ("Removed", "Upgraded", "Downgraded")
"""The actions of a plan's rows (`Move.rows`) that install a version, and that erase one."""
_NO_LOCKS = "--disableplugin=versionlock"

# Told to say no, dnf ends with status 1, and its last words tell that from a failure. Warnings stay apart from the table.
SIMULATE = f"""\
{_TAKE}\
exec 3>&1
said=$(printf '%s' "$plan" | "$@" 2>&1 >&3 3>&-); status=$?
exec 3>&-
printf '%s\\n' "$said" >&2
case $status:$said in
1:*'Operation aborted.' | 1:*'Operation aborted by the user.') exit 0 ;;
esac
exit $status
"""

# dnf(8): status 200 is somebody else's lock; nothing was done then. The comment tells in dnf's own history whose transaction it was.
CHANGE = f"""\
left=$1; shift
{_TAKE}\
while :; do
  printf '%s' "$plan" | "$@" --comment="{dnf_history.COMMENT} ${{NORNIR_UPGRADE_JOB-}}"; status=$?
  [ $status -eq 200 ] && [ $left -gt 0 ] || exit $status
  left=$((left - 1))
  sleep 1
done
"""


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of one package: the versions that go, those that come, and those that are installed again."""

    name: PackageName
    gone: tuple[str, ...]
    new: tuple[str, ...]
    auto: bool
    again: tuple[str, ...] = ()

    def rows(self) -> Iterator[dict[str, str]]:
        """The move as `dnf history store` writes it."""
        came, went = "Install", "Removed"
        if self.gone and len(self.new) == 1:
            down = sort_key(self.new[0], "rpm") < self._newest
            came, went = ("Downgrade", "Downgraded") if down else ("Upgrade", "Upgraded")
        yield from (self._row(came, version) for version in self.new)
        yield from (self._row(went, version) for version in self.gone)
        if not self.in_two:
            yield from self.second()

    def second(self) -> Iterator[dict[str, str]]:
        """What is installed again."""
        yield from (self._row("Reinstall", version) for version in self.again)

    @property
    def in_two(self) -> bool:
        """Whether a newer version must go first: until then rpm refuses to install an older one that is there."""
        return any(sort_key(version, "rpm") < self._newest for version in self.again)

    @property
    def _newest(self) -> Key:
        return max((sort_key(version, "rpm") for version in self.gone), default=sort_key("", "rpm"))

    def _row(self, action: str, version: str) -> dict[str, str]:
        reason = "dependency" if self.auto else "user"
        return {"action": action, "nevra": full_name(self.name, version), "reason": reason, "repo_id": ""}


def moves(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[Move, ...]:
    """What leads from `present` to `want`: afterwards a package stands in exactly the versions that are wanted installed, or
    without those that are to go; where one came from another architecture or from none, without that one.
    """
    names, named = by_key(want), by_name(present)
    every = (_move(name, ones, names.keys(), named.get(name.name, ())) for name, ones in names.items())
    return tuple(move for group in every for move in group if move.gone or move.new or move.again)


def _move(
    name: PackageName, want: Sequence[PackageWant], named: Iterable[PackageName], present: Sequence[Package]
) -> Iterator[Move]:
    """`present` are the packages of that name."""
    now = [package for package in present if package.key == name]
    gone, new = moved(want, [package.version for package in now])
    stay = [package.version for package in want if package.goal == "installed"]
    again = [package.version for package in now if package.broken and package.version in stay]
    yield Move(name, tuple(gone), tuple(new), want[0].auto, tuple(again))
    other = standing_for(want[0], present)
    if new and other is not None and other not in (name, *named):
        yield Move(other, tuple(package.version for package in present if package.key == other), (), want[0].auto)


def parse_parts(parts: Mapping[str, Section]) -> tuple[Package, ...]:
    """The packages of a host of dnf 4, of whose answer `parts` are `rpmquery.PARTS`."""
    history = dnf_history.parse(parts["why"])
    why = rpmquery.Why(
        lambda package: (package.name, package.arch) in history.auto,
        lambda package: (package.name, package.arch, package.version) in history.halfway,
        lambda package: (package.name, package.arch) in history.torn,
    )
    return rpmquery.parse(parts, why, parse_list(parts["locks"].succeeded().text))


@dataclass(frozen=True, slots=True)
class Dnf:
    """The package manager of Red Hat Enterprise Linux 8 and 9 and their kin: dnf 4."""

    def query(self) -> tuple[str, ...]:
        return rpmquery.query(dnf_history.SCRIPT, LIST)

    def parse_query(self, text: str) -> tuple[Package, ...]:
        return parse_parts(rpmquery.sections(text))

    def simulate(self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool) -> tuple[str, ...]:
        return ("sh", "-c", SIMULATE, "sh", *pieces(_plan(want, present)), *self._replay("--assumeno", want, present))

    def parse_simulation(self, text: str, present: Sequence[Package]) -> Transaction:
        return table.parse(text, present)

    def change(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool, wait: int
    ) -> tuple[tuple[str, ...], ...]:
        """One transaction, then the marks of what was there before, and the locks.

        Where a killed transaction left a newer version beside the wanted one, a second transaction gives that its files again.
        """
        every = moves(want, present)
        plans = [
            [row for move in every for row in move.rows()],
            [row for move in every if move.in_two for row in move.second()],
        ]
        replay = tuple(self._replay("-y", want, present))
        replays = (
            ("sh", "-c", CHANGE, "sh", str(wait), *pieces(_document(rows)), *replay)
            for rows in plans
            if rows or rows is plans[0]
        )
        return (*replays, *_marks(want, present), *locks(("dnf",), want, present))

    def download(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
        """The option that keeps a plugin out of the way, '' for none, and the transaction of `change` as data, in pieces."""
        return (_NO_LOCKS if in_the_way(want, present) else "", *pieces(_plan(want, present))[1:])

    def _replay(self, answer: str, want: Sequence[PackageWant], present: Sequence[Package]) -> Iterator[str]:
        yield from ("dnf", answer, *OPTIONS)
        if in_the_way(want, present):
            yield _NO_LOCKS
        yield from ("history", "replay", "/dev/stdin")


def _plan(want: Sequence[PackageWant], present: Sequence[Package]) -> str:
    return _document([row for move in moves(want, present) for row in move.rows()])


def _document(rows: Sequence[Mapping[str, str]]) -> str:
    """What `dnf history replay` reads."""
    return json.dumps({"version": "0.0", "rpms": rows})


def pieces(plan: str) -> tuple[str, ...]:
    """`plan` as `SIMULATE` and `CHANGE` take it: the number of its pieces, and these."""
    parts = tuple(plan[at : at + _PIECE] for at in range(0, len(plan), _PIECE))
    return (str(len(parts)), *parts)


def handed(argv: Sequence[str]) -> str:
    """The plan in a call of `SIMULATE` or `CHANGE`, which it has from `pieces`."""
    begin, end = _handed(argv)
    return "".join(argv[begin + 1 : end])


def _handed(argv: Sequence[str]) -> tuple[int, int]:
    """Where the pieces of a plan begin, with their number, and end."""
    end = argv.index("dnf")
    return next(at for at in range(end - 1, 0, -1) if argv[at] == str(end - 1 - at)), end


def parted(argv: Sequence[str], parts: Sequence[Collection[str]]) -> tuple[tuple[str, ...], ...]:
    """The call of `CHANGE` as one for each of `parts`, which are full names of packages. What is in none comes with the last."""
    place = {name: at for at, part in enumerate(parts) for name in part}
    each: list[list[dict[str, str]]] = [[] for _ in parts]
    for row in rows(handed(argv)):
        each[place.get(row["nevra"], -1)].append(row)
    begin, end = _handed(argv)
    return tuple((*argv[:begin], *pieces(_document(part)), *argv[end:]) for part in each)


def comes(plan: str) -> frozenset[str]:
    """The names of what `plan` installs in another version than it removes, or anew."""
    return frozenset(nevra.parse(row["nevra"]).name for row in rows(plan) if row["action"] in CAME)


def rows(plan: str) -> list[dict[str, str]]:
    """What `plan` does, package by package."""
    entries: list[dict[str, str]] = json.loads(plan)["rpms"]
    return entries


def _marks(want: Sequence[PackageWant], present: Sequence[Package]) -> Iterator[tuple[str, ...]]:
    """The marks that the transaction leaves wrong: what it installs anew has the right one, what was there keeps its own.

    dnf forgets why a package is there when one of its versions goes and another stays.
    """
    marks: dict[PackageName, list[bool]] = {}
    for package in present:
        marks.setdefault(package.key, []).append(package.auto)
    stay = (wanted for wanted in want if wanted.goal == "installed")
    wrong = [wanted for wanted in stay if marks.get(wanted.key, [wanted.auto]) != [wanted.auto]]
    yield from naming(("dnf", "mark", "install"), (wanted for wanted in wrong if not wanted.auto))
    yield from naming(("dnf", "mark", "remove"), (wanted for wanted in wrong if wanted.auto))


def locks(
    command: tuple[str, ...], want: Sequence[PackageWant], present: Sequence[Package]
) -> Iterator[tuple[str, ...]]:
    """The calls of `command` after which what is wanted held is held, and nothing else that is wanted."""
    if held := in_the_way(want, present):
        yield (*command, "versionlock", "delete", *held)
    now = {(package.key, package.version) for package in present if package.hold}
    fresh = (
        package
        for package in want
        if package.goal == "installed" and package.hold and (package.key, package.version) not in now
    )
    yield from naming((*command, "versionlock", "add"), fresh)


def in_the_way(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
    """The names whose locks must go: they are held at a version that is not wanted, or not wanted held."""
    keep = {(package.key, package.version) for package in want if package.goal == "installed" and package.hold}
    named = {package.key for package in want}
    off = (
        package
        for package in present
        if package.hold and package.key in named and (package.key, package.version) not in keep
    )
    return tuple(dict.fromkeys(nevra.check_name(package.name) for package in off))


def naming(command: tuple[str, ...], want: Iterable[PackageWant]) -> tuple[tuple[str, ...], ...]:
    """`command` with each package in `want`; none where there are none."""
    words = tuple(full_name(package.key, package.version) for package in want)
    return ((*command, *words),) if words else ()


def full_name(name: PackageName, version: str) -> str:
    """The package's full name: with a part missing, dnf would take whatever has the others. Raises `InvalidInput`."""
    if not parse(version, "rpm").revision:
        raise InvalidInput(f"{version!r} of {name.name} has no release")
    return nevra.in_words(name.name, version, nevra.check_arch(name.arch))
