"""rpm and dnf 5 as a `PackageManager`, as `dnf` is for dnf 4. Pure; `LC_ALL=C` is the host's part.

After its manual pages (dnf5-do, -mark, -versionlock, -repoquery); it was not run for real, and no family of hosts has it yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import dnf_table, nevra, rpmquery
from .dnf import CHANGE, OPTIONS, SIMULATE, full_name, in_the_way, moves, naming, pieces
from .dnf_locks import TOML, parse_toml
from .errors import InvalidInput
from .packages import Package, PackageWant, Transaction
from .sections import Section

USER = "dnf5 -q '--disable-repo=*' repoquery --installed --userinstalled"


def _asked(section: Section) -> frozenset[tuple[str, str, str]]:
    """The packages that dnf 5 lists, a full name a line."""
    found = set()
    for offset, line in section.succeeded().lines():
        try:
            one = nevra.parse(line)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
        found.add((one.name, one.arch, one.evr))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Dnf5:
    """The package manager of Fedora 41 and later: dnf 5."""

    def query(self) -> tuple[str, ...]:
        return rpmquery.query(USER, TOML)

    def parse_query(self, text: str) -> tuple[Package, ...]:
        parts = rpmquery.sections(text)
        asked = _asked(parts["why"])
        why = rpmquery.Why(lambda one: (one.name, one.arch, one.version) not in asked)
        return rpmquery.parse(parts, why, parse_toml(parts["locks"].succeeded().text))

    def simulate(self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool) -> tuple[str, ...]:
        return ("sh", "-c", SIMULATE, "sh", *pieces(""), *self._do("--assumeno", want, present))

    def parse_simulation(self, text: str, present: Sequence[Package]) -> Transaction:
        return dnf_table.parse(text, present)

    def change(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool, wait: int
    ) -> tuple[tuple[str, ...], ...]:
        """The locks off, one transaction, then the marks, as all that is named becomes the user's, and the locks."""
        do = ("sh", "-c", CHANGE, "sh", str(wait), *pieces(""), *self._do("-y", want, present))
        held = in_the_way(want, present)
        unlock = (("dnf5", "versionlock", "delete", *held),) if held else ()
        lock = naming(("dnf5", "versionlock", "add"), (one for one in want if one.goal == "installed" and one.hold))
        stay = [one for one in want if one.goal == "installed"]
        user = naming(("dnf5", "mark", "user"), (one for one in stay if not one.auto))
        dependency = naming(("dnf5", "mark", "dependency"), (one for one in stay if one.auto))
        return (*unlock, do, *user, *dependency, *lock)

    def _do(self, answer: str, want: Sequence[PackageWant], present: Sequence[Package]) -> Iterator[str]:
        every = moves(want, present)
        yield from ("dnf5", answer, *(option for option in OPTIONS if "strict=" not in option), "do", "--allowerasing")
        # Of what is replaced by its like, the install says all; who would remove it as well would contradict it.
        words = {
            "install": [full_name(move.name, version) for move in every for version in move.new],
            "remove": [
                full_name(move.name, one) for move in every if len(move.gone) != len(move.new) for one in move.gone
            ],
        }
        yield from (word for action, named in words.items() if named for word in (f"--action={action}", *named))
