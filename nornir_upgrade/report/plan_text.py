"""Plan text: a plan for people. First a summary, then each wave with its steps; hosts with the same steps share them. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nornir_upgrade.console.text import in_bytes, printable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import PackageChange, implied
from nornir_upgrade.core.plan import Plan, Wave
from nornir_upgrade.core.step import Step
from nornir_upgrade.planner import preparation_wave
from nornir_upgrade.planner.reversibility import Obstacle, Reversibility, Verdict
from nornir_upgrade.scenario.model import Scenario
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.files import CaptureFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import SetServices
from nornir_upgrade.steps.state import CaptureState

_HOSTS_SHOWN = 8
_NO_RETURN = "!"
_OF_WAVES = {preparation_wave.NAME: (preparation_wave.OUTAGE, preparation_wave.WAY_BACK)}
"""Outage and way back of waves that belong to no stage."""
_OPEN_UNTIL = "as long as the run is in the journal, and what it needs from escrow is kept"


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of the summary. `families`: hosts of each family. A package counts once for each host.

    `databases` counts those dumped, `migrated` those migrated after that.
    """

    hosts: int
    families: Mapping[str, int]
    upgrade: int
    install: int
    remove: int
    databases: int
    migrated: int
    points_of_no_return: int


@dataclass(frozen=True, slots=True)
class StepOutline:
    """A step in words. `symbol`: `+` adds, `-` removes, `~` changes, a blank changes nothing, `!` is a point of no return."""

    symbol: str
    kind: str
    text: str
    no_return: str
    changes: tuple[PackageChange, ...]


@dataclass(frozen=True, slots=True)
class HostGroup:
    """Hosts with the same `steps` in a wave, and their `gates` in words: the conditions for the next wave."""

    hosts: tuple[str, ...]
    steps: tuple[StepOutline, ...]
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaveOutline:
    """A wave. `outage` and `way_back` are the texts of its stage, '' for a wave without one."""

    name: str
    outage: str
    way_back: str
    groups: tuple[HostGroup, ...]


@dataclass(frozen=True, slots=True)
class WayBack:
    """Hosts with the same way back. It needs the package files `kept` in escrow (`bytes` in all), and those still `to_keep`."""

    hosts: tuple[str, ...]
    verdict: Verdict
    changes: tuple[PackageChange, ...]
    kept: tuple[str, ...]
    to_keep: tuple[str, ...]
    bytes: int
    reasons: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan in words and numbers; the codec makes the document of `-o json` of it. `open_until`: how long the ways back exist."""

    direction: str
    origin: str
    totals: Totals
    waves: tuple[WaveOutline, ...]
    ways_back: tuple[WayBack, ...] = ()
    open_until: str = ""


def outline_of(
    plan: Plan, facts: Mapping[str, HostFacts], scenario: Scenario | None = None, proofs: Iterable[Reversibility] = ()
) -> Outline:
    """`plan` in words. Old versions are those of `facts`, outages those of `scenario`, and ways back those of `proofs`.

    `facts` are those that the plan was made of.
    """
    waves = tuple(_wave(wave, facts, scenario) for wave in plan.waves)
    ways = _ways_back(proofs)
    return Outline(plan.direction, plan.origin, _totals(plan, waves, facts), waves, ways, _OPEN_UNTIL if ways else "")


def summary(outline: Outline) -> str:
    """The totals in one line."""
    if not outline.waves:
        return "Plan: nothing to do."
    totals = outline.totals
    families = ", ".join(f"{count} {family}" for family, count in totals.families.items())
    parts = [
        families if len(totals.families) > 1 else "",
        f"{totals.upgrade} packages to upgrade, {totals.install} to install, {totals.remove} to remove",
        f"{totals.databases} databases dumped, {totals.migrated} migrated" if totals.databases else "",
        f"{len(outline.waves)} waves",
        f"{totals.points_of_no_return} POINTS OF NO RETURN"
        if totals.points_of_no_return
        else "every step can be undone",
    ]
    return f"Plan: {totals.hosts} hosts: " + "; ".join(part for part in parts if part)


def plan_in_text(outline: Outline, full: bool = False) -> str:
    """The plan as text. With `full`, every host, package and gate has its own lines."""
    lines = [summary(outline)]
    shown: dict[tuple[str, tuple[StepOutline, ...]], str] = {}
    for number, wave in enumerate(outline.waves, 1):
        lines += ["", f"wave {number}/{len(outline.waves)}  {printable(wave.name)}"]
        stage = wave.name.replace(":", " ").partition(" ")[0]
        if wave.outage and not any(key[0] == stage for key in shown):
            lines += [f"    outage:   {printable(wave.outage)}", f"    way back: {printable(wave.way_back)}"]
        for group in wave.groups if not full else _each(wave.groups):
            same = shown.setdefault((stage, group.steps), group.hosts[0])
            if same in group.hosts or full:
                lines += _group(group, full)
            else:
                lines.append(f"  {_hosts(group.hosts, full)}: the same as {same}")
    return "\n".join((*lines, *_way_back_in_text(outline, full)))


# ---------------------------------------------------------------------- Plan -> Outline


def _wave(wave: Wave, facts: Mapping[str, HostFacts], scenario: Scenario | None) -> WaveOutline:
    stage = scenario.stage_of(wave.name) if scenario else None
    gates = {work.host: tuple(gate.describe() for gate in work.steps) for work in wave.gates}
    shared: dict[tuple[tuple[StepOutline, ...], tuple[str, ...]], list[str]] = {}
    for work in wave.work:
        steps = tuple(_step(step, facts.get(work.host)) for step in work.steps)
        shared.setdefault((steps, gates.get(work.host, ())), []).append(work.host)
    groups = tuple(HostGroup(tuple(hosts), steps, checks) for (steps, checks), hosts in shared.items())
    outage, way_back = (stage.outage, stage.way_back) if stage else _OF_WAVES.get(wave.name, ("", ""))
    return WaveOutline(wave.name, outage, way_back, groups)


def _step(step: Step, facts: HostFacts | None) -> StepOutline:
    changes = implied(step.want, facts.packages if facts else ()).changes if isinstance(step, SetPackages) else ()
    return StepOutline(_symbol(step), step.KIND, step.describe(), step.point_of_no_return, changes)


def _symbol(step: Step) -> str:
    if step.point_of_no_return:
        return _NO_RETURN
    match step:
        case DumpDatabase() | CaptureFiles() | CaptureState() | DownloadPackages():
            return " "
        case SetRepository() if step.replaces:
            return "~"
        case SetRepository():
            return "-" if step.text is None and not step.digest else "+"
        case SetServices() if all(want.active is False for want in step.want):
            return "-"
        case SetServices() if all(want.active for want in step.want):
            return "+"
    return "~"


def _totals(plan: Plan, waves: Iterable[WaveOutline], facts: Mapping[str, HostFacts]) -> Totals:
    changes = [
        (host, change)
        for wave in waves
        for group in wave.groups
        for step in group.steps
        for change in step.changes
        for host in group.hosts
    ]
    return Totals(
        hosts=len(plan.hosts),
        families=Counter(facts[host].os.family for host in plan.hosts if host in facts),
        upgrade=sum(1 for _, change in changes if change.old and change.new),
        install=sum(1 for _, change in changes if not change.old),
        remove=sum(1 for _, change in changes if not change.new),
        databases=len({(host, step) for _, host, step in plan.steps() if isinstance(step, DumpDatabase)}),
        migrated=len({step.covered for _, _, step in plan.steps() if isinstance(step, RunCommand) and step.covered}),
        points_of_no_return=len(plan.points_of_no_return),
    )


def _ways_back(proofs: Iterable[Reversibility]) -> tuple[WayBack, ...]:
    """Hosts with the same proof share a way back. Hosts without a way back are first."""
    shared: dict[Reversibility, list[str]] = {}
    for proof in proofs:
        shared.setdefault(replace(proof, host=""), []).append(proof.host)
    ways = (
        WayBack(
            tuple(hosts),
            proof.verdict,
            proof.changes,
            tuple(map(str, proof.kept)),
            tuple(map(str, proof.to_keep)),
            proof.bytes,
            proof.reasons,
        )
        for proof, hosts in shared.items()
    )
    return tuple(sorted(ways, key=lambda way: way.verdict))


# ---------------------------------------------------------------------- Outline -> text


def _way_back_in_text(outline: Outline, full: bool) -> Iterator[str]:
    if not outline.ways_back:
        return
    yield from ("", f"way back  (open {outline.open_until})")
    alike: dict[tuple[object, ...], list[WayBack]] = {}
    for way in outline.ways_back:
        alike.setdefault((way.verdict, way.reasons, way.kept, way.to_keep), []).append(way)
    for ways in alike.values():
        first = ways[0]
        hosts = _hosts([host for way in ways for host in way.hosts], full)
        yield f"  {hosts}: {first.verdict.upper() if first.reasons else first.verdict}"
        yield from (f"    {printable(reason.text)}" for reason in first.reasons)
        if first.kept:
            yield f"    in escrow, {in_bytes(first.bytes)}: {', '.join(first.kept)}"
        if first.to_keep:
            yield f"    kept by the run before it changes anything: {', '.join(first.to_keep)}"


def _each(groups: Iterable[HostGroup]) -> Iterator[HostGroup]:
    for group in groups:
        for host in group.hosts:
            yield HostGroup((host,), group.steps, group.gates)


def _group(group: HostGroup, full: bool) -> Iterator[str]:
    yield f"  {_hosts(group.hosts, full)}"
    for step in group.steps:
        if step.changes:
            yield from (f"    {line}" for line in _packages(step.changes, full))
        else:
            yield f"    {step.symbol} {printable(step.text)}"
        if step.no_return:
            yield f"      NO WAY BACK: {printable(step.no_return)}"
    if group.gates and full:
        yield from (f"    then {printable(gate)}" for gate in group.gates)
    elif group.gates:
        more = f", and {len(group.gates) - 1} more" if len(group.gates) > 1 else ""
        yield f"    then {printable(group.gates[0])}{more}"


def _packages(changes: Sequence[PackageChange], full: bool) -> Iterator[str]:
    """Packages with the same old and new version share a line, unless `full`."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        grouped.setdefault((change.old, change.new), []).append(change.name)
    for (old, new), names in grouped.items():
        symbol = "~" if old and new else "+" if new else "-"
        versions = f"{old} -> {new}" if old and new else old or new
        listed = names if full else [", ".join(names)]
        yield from (f"{symbol} {name}  {versions}" for name in listed)


def _hosts(hosts: Sequence[str], full: bool) -> str:
    if full or len(hosts) <= _HOSTS_SHOWN:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:_HOSTS_SHOWN])} and {len(hosts) - _HOSTS_SHOWN} more"
