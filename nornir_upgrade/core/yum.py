"""rpm and yum 3 as a `PackageManager`, as `dnf` is for dnf 4. Pure; `LC_ALL=C` is the host's part.

It was not run for real: it is after the manual pages of yum 3.4.3 and yum-utils (yum-shell, yum.conf, yumdb, yum-complete-transaction),
their source, and transcripts of CentOS 7. No family of hosts has it yet. Besides yum, a host needs yum-utils, and where holds matter
the versionlock plugin.

yum is told a whole transaction as a script of `yum shell`. That goes on without a package that it does not find, and takes along
what depends on what goes; and it may end with status 0 whatever became of the transaction. So it is asked first what it would do,
and is only let do it where that is the plan and nothing else. It reads a script from a regular file alone. Words get into it only
from parts that matched rpm's grammar: it takes globs, groups and files of packages for names as well.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import dnf_table, nevra, rpmquery
from .dnf import Move, full_name, in_the_way, locks, moves, naming
from .dnf_locks import YUM, parse_yum
from .evr import sort_key
from .packages import Package, PackageName, PackageWant, Transaction, by_key
from .sections import Section

# As for dnf; and no package is replaced by another that says so, unless both are named (yum.conf(5)). Without `alwaysprompt`,
# `--assumeno` is no protection. `?` makes the shell end as its last command did; where yum does not know that, what became of the
# transaction is seen from the packages alone.
OPTIONS = (
    "--debuglevel=2",
    "--color=never",
    *(
        f"--setopt={option}"
        for option in (
            "obsoletes=False",
            "clean_requirements_on_remove=False",
            "upgrade_requirements_on_install=False",
            "remove_leaf_only=False",
            "installonly_limit=0",
            "skip_broken=False",
            "alwaysprompt=True",
            "autosavets=False",
            "exit_on_lock=True",
            "shell_exit_status=?",
        )
    ),
)

_STATE = "/var/lib/yum"  # yum.conf(5), persistdir
# `yumdb get reason` would start yum anew; it reads these files (rpmsack.py). A transaction's journal goes when it ends (rpmtrans.py).
REMEMBERED = f"""\
[ ! -d {_STATE} ] || find {_STATE} -type f \\( -path '*/yumdb/*/reason' -o -path '{_STATE}/transaction-*' ! -name '*disabled' \\) \\
  -exec awk '$0 == "dep" || FILENAME ~ "^{_STATE}/transaction-" {{ print FILENAME, $0 }}' {{}} +"""

_REASON = re.compile(rf"{_STATE}/yumdb/[^/]+/[^/-]+-(?P<package>[^/ ]+)/reason dep")
_JOURNAL = re.compile(rf"{_STATE}/transaction-(?P<part>all|done)(?P<when>\S*) (?P<entry>\S+ \S+)")

_FILE = """\
file=$(mktemp) && trap 'rm -f "$file"' EXIT && printf '%s' "$plan" > "$file" || exit 1
"""

# yum ends alike where it was told to say no and where it failed; what it says last tells these apart.
SIMULATE = f"""\
plan=$1; shift
{_FILE}\
said=$("$@" --assumeno shell "$file" 2>&1)
printf '%s\\n' "$said"
case $said in
*'Exiting on user command'*) exit 0 ;;
esac
exit 1
"""

# The name, architecture and version of each row of the table, however it is broken.
_ROWS = """\
rows() {
  awk '
    function tell() { if (split(row, word)) print word[1], word[2], word[3]; row = "" }
    /^Transaction Summary/ { inside = 0 }
    inside && /^ [^ ]/ { tell(); row = $0; next }
    inside && /^  / && !/^ +Size *$/ { row = row $0 }
    /^ Package +Arch/ { inside = 1 }
    END { tell() }
  ' | sort
}
"""
# In between nobody has the lock: who takes it then makes the second call fail, with nothing done.
CHANGE = f"""\
{_ROWS}\
left=$1 plan=$2 expected=$3; shift 3
{_FILE}\
while said=$("$@" --assumeno shell "$file" 2>&1); [ $left -gt 0 ]; do
  case $said in
  *'exiting as configured by exit_on_lock'*) left=$((left - 1)); sleep 1 ;;
  *) break ;;
  esac
done
if [ "$(printf '%s\\n' "$said" | rows)" != "$(printf '%s\\n' "$expected" | sort)" ]; then
  printf '%s\\n' "$said" 'This is not what was asked of yum. Nothing was done.' >&2
  exit 1
fi
"$@" -y shell "$file"
"""


@dataclass(frozen=True, slots=True)
class _Order:
    """A line of the script, and by which version the table tells of it."""

    verb: str
    name: PackageName
    version: str

    @property
    def line(self) -> str:
        return f"{self.verb} {full_name(self.name, self.version)}\n"

    @property
    def row(self) -> str:
        """The beginning of the table's row: no epoch is told there where it is 0."""
        return f"{self.name.name} {self.name.arch} {self.version.removeprefix('0:')}"


@dataclass(frozen=True, slots=True)
class Yum:
    """The package manager of Red Hat Enterprise Linux 7 and its kin: yum 3."""

    def query(self) -> tuple[str, ...]:
        return rpmquery.query(REMEMBERED, YUM)

    def parse_query(self, text: str) -> tuple[Package, ...]:
        parts = rpmquery.sections(text)
        return rpmquery.parse(parts, _why(parts["why"]), parse_yum(parts["locks"].succeeded().text))

    def simulate(self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool) -> tuple[str, ...]:
        orders = [order for move in moves(want, present) for order in _orders(move, present)]
        return ("sh", "-c", SIMULATE, "sh", _script(orders), *_yum(want, present)) if orders else ("true",)

    def parse_simulation(self, text: str, present: Sequence[Package]) -> Transaction:
        return dnf_table.parse(text, present)

    def change(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool, wait: int
    ) -> tuple[tuple[str, ...], ...]:
        """One transaction, then the marks, as all that is named becomes the user's, and the locks. Where nothing moves, the last two.

        Where a killed transaction left a newer version beside the wanted one, a second transaction gives that its files again.
        Its journal goes last, which had told of that.
        """
        every = moves(want, present)
        plans = [
            [order for move in every for order in _orders(move, present)],
            [order for move in every if move.in_two for order in _again(move)],
        ]
        transactions = (_transaction(orders, _yum(want, present), wait) for orders in plans if orders)
        return (
            *transactions,
            *_marks(want, present, every),
            *locks(("yum", *OPTIONS), want, present),
            *_journal(want, present),
        )


def _yum(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
    return ("yum", *OPTIONS, *(["--disableplugin=versionlock"] if in_the_way(want, present) else []))


def _orders(move: Move, present: Sequence[Package]) -> Iterator[_Order]:
    """What yum is told of one package. Of what takes its own place the install says all; it is a downgrade where it is older.

    A kernel that stands alone comes beside: nothing tells here that it is one.
    """
    now = [one for one in present if one.key == move.name]
    if len(now) == len(move.gone) == len(move.new) == 1:
        older = sort_key(move.new[0], "rpm") < sort_key(move.gone[0], "rpm")
        yield _Order("downgrade" if older else "install", move.name, move.new[0])
    else:
        yield from (_Order("remove", move.name, version) for version in move.gone)
        yield from (_Order("install", move.name, version) for version in move.new)
    if not move.in_two:
        yield from _again(move)


def _again(move: Move) -> Iterator[_Order]:
    return (_Order("reinstall", move.name, version) for version in move.again)


def _script(orders: Sequence[_Order]) -> str:
    """What `yum shell` reads."""
    return "".join(order.line for order in orders) + "run\n"


def _transaction(orders: Sequence[_Order], command: tuple[str, ...], wait: int) -> tuple[str, ...]:
    expected = "\n".join(order.row for order in orders)
    return ("sh", "-c", CHANGE, "sh", str(wait), _script(orders), expected, *command)


def _marks(want: Sequence[PackageWant], present: Sequence[Package], every: Sequence[Move]) -> Iterator[tuple[str, ...]]:
    """The marks of all that moves, whatever yum made of them, and those that are others."""
    moved = {move.name for move in every}
    marks = {key: {one.auto for one in ones} for key, ones in by_key(present).items()}
    stay = [one for one in want if one.goal == "installed"]
    unsure = [one for one in stay if one.key in moved or marks.get(one.key) != {one.auto}]
    yield from naming(("yumdb", "set", "reason", "user"), (one for one in unsure if not one.auto))
    yield from naming(("yumdb", "set", "reason", "dep"), (one for one in unsure if one.auto))


def _journal(want: Sequence[PackageWant], present: Sequence[Package]) -> Iterator[tuple[str, ...]]:
    named = {one.key for one in want}
    if any(one.broken and one.key in named for one in present):
        yield ("yum-complete-transaction", "--cleanup-only")


def _why(section: Section) -> rpmquery.Why:
    """What yum remembers: `PATH dep` of a package that came as a dependency, and each line of a journal behind its path.

    A package is written down as done before its %post runs, so the last one that a journal tells of may not be.
    """
    dependencies: set[str] = set()
    journals: dict[str, dict[str, list[str]]] = {"all": {}, "done": {}}
    for offset, line in section.succeeded().lines():
        if told := _REASON.fullmatch(line):
            dependencies.add(told["package"].replace("~", ""))
        elif told := _JOURNAL.fullmatch(line):
            journals[told["part"]].setdefault(told["when"], []).append(told["entry"])
        else:
            raise section.fail(f"not understood: {line!r}", offset)
    done = {when: entries[:-1] for when, entries in journals["done"].items()}
    halfway = {one for when, begun in journals["all"].items() for one in begun if one not in done.get(when, [])}
    return rpmquery.Why(lambda one: _directory(one) in dependencies, lambda one: f"install {_entry(one)}" in halfway)


def _directory(package: Package) -> str:
    """What of the package's directory follows the checksum (rpmsack.py, which leaves tildes out of some of it)."""
    return f"{package.name}-{nevra.without_epoch(package.version)}-{package.arch}".replace("~", "")


def _entry(package: Package) -> str:
    """The package in a journal."""
    epoch, colon, rest = package.version.rpartition(":")
    return f"{epoch if colon else 0}:{package.name}-{rest}.{package.arch}"
