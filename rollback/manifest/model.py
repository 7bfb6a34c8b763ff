"""The judgement on packages: what must happen to each, so that a host is as a snapshot says. Every package is accounted for.

Pure. The exact case is a set difference and needs no solver; a solver for versions that cannot be had comes in by the
same door, `Solver`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput, NoSolution, Unobtainable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, PackageName
from nornir_upgrade.core.version.evr import Flavour, sort_key
from rollback.foreign.packages import NOBODYS, Foreign
from rollback.packaging.candidate import Catalog

from .identity import Slots, flavour_of, slots

Action = Literal["keep", "downgrade", "upgrade", "install", "remove", "rename", "held", "unobtainable"]
FORMAT = "1.0"
FOREIGN = "foreign"
"""The rule of a deviation that is about packages which no run brought."""
STAYS: tuple[Action, ...] = ("keep", "held", "unobtainable")
"""The actions by which a package stays at the version that is there."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one package. `installed` is its version now, `target` the one it comes to; '' is: not installed.

    `remove` with a target leaves the configuration of that version behind (dpkg's `config-files`), without one nothing.
    `auto` and `hold` are the marks it has in the end. `slot`: the version that it is told apart by, where several of its name stand
    side by side. `foreign`: no run brought it. `kept_for`: the package that it stays for. `data`: where data are that its purge
    (rpm: its removal) would delete. `holds`: what else is its, where it stays: paths below /etc, `service NAME`, `user NAME`.
    """

    name: str
    arch: str
    action: Action
    installed: str
    target_name: str
    target: str
    origin: str = ""
    from_escrow: bool = False
    auto: bool = False
    hold: bool = False
    why: str = ""
    slot: str = ""
    foreign: bool = False
    kept_for: str = ""
    data: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()

    @property
    def key(self) -> PackageName:
        """What the package is told apart by."""
        return PackageName(self.name, self.arch, self.slot)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a manifest cannot be carried out as it is, or leads elsewhere than to the snapshot. `rule` is a stable name."""

    rule: str
    packages: tuple[str, ...]
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every package that `host` had or has, once, sorted by name, architecture and, where several stand, version. `to` says
    which state it leads to.

    Where that state cannot be reached, `deviations` say in what the end differs and why, one for each root cause. A manifest
    with `problems` leads nowhere.
    """

    host: str
    family: str
    to: Mapping[str, str]
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()
    deviations: tuple[Problem, ...] = ()
    format: str = FORMAT

    @property
    def counts(self) -> dict[str, int]:
        """How many packages stand under each action; every action is named."""
        found = Counter(change.action for change in self.changes)
        return {action: found[action] for action in get_args(Action)}


class Solver(Protocol):
    """Finds the way from one state to another with what can be had. `exact` is one."""

    def __call__(
        self, then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], foreign: Foreign = NOBODYS
    ) -> Manifest:
        """The manifest that leads `now` to `then`, or with problems where there is none. `foreign` packages stay where they can.

        Pure and deterministic.
        """
        ...


def exact(then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str]) -> Manifest:
    """The manifest that leads to exactly the packages of `then`: the set difference.

    A version that is not in `offered` makes its package `unobtainable`, with one problem that names all of them.
    """
    apart, flavour = slots(then, now, offered), flavour_of(now)
    before, present = apart.by_key(then.packages), apart.by_key(now.packages)
    changes = tuple(
        account(before.get(key), present.get(key), key, offered, flavour)
        for key in sorted(before.keys() | present.keys())
    )
    lost = tuple(f"{c.name}={c.target}" for c in changes if c.action == "unobtainable")
    return Manifest(now.host, now.os.family, to, changes, (_unobtainable(lost),) if lost else ())


def require_solved(manifests: Iterable[Manifest]) -> None:
    """Raises `Unobtainable`, or `NoSolution` for any other problem, naming every host that has one."""
    troubled = [manifest for manifest in manifests if manifest.problems]
    if not troubled:
        return
    problems = [problem for manifest in troubled for problem in manifest.problems]
    kind = Unobtainable if all(problem.rule == "unobtainable" for problem in problems) else NoSolution
    lines = [f"{manifest.host}: {problem.text}" for manifest in troubled for problem in manifest.problems]
    raise kind("\n".join(lines), hint=problems[0].hint)


def slots_in(manifest: Manifest) -> Slots:
    """What its packages are told apart by."""
    return Slots(several=frozenset((change.name, change.arch) for change in manifest.changes if change.slot))


def document(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON knows it, with its counts, and apart from them the packages that no run brought."""
    foreign = [f"{one.name}:{one.arch}" for one in manifest.changes if one.foreign]
    return {**codec.to_builtins(manifest), "counts": manifest.counts, "foreign": foreign}


def read(text: str | bytes, source: str) -> Manifest:
    """The manifest that `text` stands for. Raises `InvalidInput` where it is none, or its counts are not its changes'."""
    given = codec.loads(text, dict[str, Any], source=source)
    counts = given.pop("counts", None)
    given.pop("foreign", None)
    manifest = codec.from_builtins(given, Manifest, source=source)
    if manifest.format != FORMAT:
        raise InvalidInput(f"{source}: format {manifest.format}, this program knows {FORMAT}")
    if counts != manifest.counts:
        raise InvalidInput(f"{source}: the counts are not those of the changes", hint="compute the manifest anew")
    return manifest


# ---------------------------------------------------------------------- one package


def account(
    then: Package | None, now: Package | None, key: PackageName, offered: Catalog, flavour: Flavour = "deb"
) -> Change:
    """What must happen to one package, so that what there is of it `now` becomes `then`; `None` is nothing."""
    installed = now.version if now and now.unpacked else ""
    change = Change(key.name, key.arch, "keep", installed, key.name, "", slot=key.version)
    if then is None:
        return replace(change, action="remove", why=_why_removed(now))
    change = replace(change, target=then.version, auto=then.auto, hold=then.hold)
    if then.state == "config-files":
        return _leave_configuration(replace(change, auto=False, hold=False), then, now, offered)
    if now is not None and _stays(now, then):
        return replace(change, action="held" if then.hold else "keep", why=_why_kept(now))
    candidate = offered.find(key.name, key.arch, then.version)
    if candidate is None:
        return replace(change, action="unobtainable", why=f"no repository offers {then.version}")
    direction = _direction(installed, then.version, flavour)
    why = _why_fetched(now)
    return replace(change, action=direction, origin=candidate.origin, from_escrow=candidate.escrowed, why=why)


def _leave_configuration(change: Change, then: Package, now: Package | None, offered: Catalog) -> Change:
    """The package was removed before, and its configuration was left: it is brought back to that, or stays so."""
    if now is not None and now.version == then.version and now.state == "config-files":
        return replace(change, action="keep", why="only its configuration is there, as before")
    if change.installed == then.version:
        return replace(change, action="remove", why="only its configuration was there before")
    candidate = offered.find(change.name, change.arch, then.version)
    if candidate is None:
        return replace(change, action="unobtainable", why=f"no repository offers {then.version}")
    why = "only its configuration was there before: installed at that version, then removed"
    return replace(change, action="remove", origin=candidate.origin, from_escrow=candidate.escrowed, why=why)


def _stays(now: Package, then: Package) -> bool:
    """Whether the bytes on the host are the right ones, so that dpkg need at most configure them."""
    return now.version == then.version and now.state not in ("config-files", "half-installed") and not now.broken


def _direction(installed: str, target: str, flavour: Flavour) -> Action:
    if not installed or installed == target:
        return "install"
    return "upgrade" if sort_key(installed, flavour) < sort_key(target, flavour) else "downgrade"


def _why_removed(now: Package | None) -> str:
    rest = now is not None and not now.unpacked
    return "not there before; only its configuration is left" if rest else "not there before"


def _why_kept(now: Package) -> str:
    return "" if now.state == "installed" else f"is {now.state} now: will be configured"


def _why_fetched(now: Package | None) -> str:
    if now is None or not now.unpacked:
        return "gone since"
    if now.broken or now.state == "half-installed":
        return f"is {now.state} now: will be unpacked again"
    return "held since, which is lifted for the way back" if now.hold else "changed since"


def _unobtainable(lost: tuple[str, ...]) -> Problem:
    return Problem(
        "unobtainable",
        tuple(one.partition("=")[0] for one in lost),
        f"no repository offers {', '.join(lost)}",
        "look for it in caches with rollback escrow fetch --run RUN, or make a repository with these versions available to the host",
    )
