"""Manifest: what happens to each package of a host on its way back, with the problems and deviations of that way. Pure.

`family` is the name of the packages' format, in JSON as well (`"family": "deb"`, `"rpm"`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput, NoSolution, Unobtainable
from nornir_upgrade.core.packaging.model import PackageName

from .identity import Slots

Action = Literal["keep", "downgrade", "upgrade", "install", "remove", "rename", "held", "unobtainable"]
FORMAT = "1.0"
FOREIGN = "foreign"
"""The rule of a deviation that is about packages which no run brought."""
STAYS: tuple[Action, ...] = ("keep", "held", "unobtainable")
"""The actions by which a package stays at the version that is there."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one package.

    - `installed`, `target`: its version now and afterwards; '': not installed. `remove` with a target leaves the configuration of
      that version (dpkg's `config-files`), without one it leaves nothing.
    - `auto`, `hold`: its marks afterwards.
    - `slot`: its version, where several versions of the package are installed side by side; else ''.
    - `foreign`: no run installed it. `kept_for`: the package because of which it stays.
    - `data`: directories of data that its purge (rpm: its removal) would delete. `holds`: what else belongs to a package that stays:
      paths below /etc, `service NAME`, `user NAME`.
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
        """The identity of the package on its host."""
        return PackageName(self.name, self.arch, self.slot)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a manifest cannot be carried out, or deviates from the snapshot. `rule` is a stable name."""

    rule: str
    packages: tuple[str, ...]
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every package that `host` had or has, once, sorted by name, architecture and slot. `to` names the state that it leads to.

    If that state cannot be reached, `deviations` are the differences, one for each root cause. A manifest with `problems` cannot
    be carried out.
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
        """How many packages have each action; every action is named."""
        counts = Counter(change.action for change in self.changes)
        return {action: counts[action] for action in get_args(Action)}


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
    """The identity of its packages."""
    return Slots(several=frozenset((change.name, change.arch) for change in manifest.changes if change.slot))


def document(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON, with the counts of its actions and the packages that no run installed."""
    foreign = [f"{change.name}:{change.arch}" for change in manifest.changes if change.foreign]
    return {**codec.to_builtins(manifest), "counts": manifest.counts, "foreign": foreign}


def read(text: str | bytes, source: str) -> Manifest:
    """The manifest in `text`. Raises `InvalidInput` if it is not a manifest, or its counts differ from its changes."""
    fields = codec.loads(text, dict[str, Any], source=source)
    counts = fields.pop("counts", None)
    fields.pop("foreign", None)
    manifest = codec.from_builtins(fields, Manifest, source=source)
    if manifest.format != FORMAT:
        raise InvalidInput(f"{source}: format {manifest.format}, this program knows {FORMAT}")
    if counts != manifest.counts:
        raise InvalidInput(f"{source}: the counts are not those of the changes", hint="compute the manifest anew")
    return manifest


# ---------------------------------------------------------------------- one package


def lines(manifest: Manifest) -> tuple[str, ...]:
    """What changes, as package words: `name=version`, and `name-` for what is removed; sorted."""
    return tuple(
        sorted(f"{c.target_name}={c.target}" if c.action != "remove" else f"{c.name}-" for c in moving(manifest))
    )


def moving(manifest: Manifest) -> tuple[Change, ...]:
    """The packages that change."""
    return tuple(change for change in manifest.changes if change.action not in STAYS)
