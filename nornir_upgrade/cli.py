"""`nornir-upgrade`: takes a fleet forward. Verbs about runs are in `cli_runs`, those of the lab in `cli_lab`."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from .cli_lab import lab
from .cli_runs import history, policy, report, resume, status, unwind, write
from .core.errors import Blocked, InvalidInput, Unreachable
from .core.host import quote
from .doors import CONSENT, EXIT_CODES, FLEET, GENERAL, STOPPING, WAVES, Door, Flags, before_the_verb, enter, flags
from .screen import Screen, columns
from .words import printable

if TYPE_CHECKING:
    from .core.facts import HostFacts
    from .core.fleet import NornirFleet
    from .core.plan import Plan
    from .finding import Finding
    from .proof import Proof
    from .scenario import Scenario

SOMETHING_TO_DO = 100

setting = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the scenario (repeatable); `scenarios NAME` lists them.",
)


@click.group(
    cls=Door,
    name="nornir-upgrade",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"""\b
Examples:
  nornir-upgrade scenarios
  nornir-upgrade plan service-by-service --out plan.json
  nornir-upgrade run plan.json
  nornir-upgrade run service-by-service --yes --on-failure unwind

{EXIT_CODES}

The way back from a finished run is the command `rollback`.""",
)
@click.version_option(package_name="nornir-upgrade")
@flags(*GENERAL)
@click.pass_context
def door(ctx: click.Context, _: Flags) -> None:
    """Take a fleet of hosts from one release to the next, and be able to take it back."""
    before_the_verb(ctx)


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade scenarios
  nornir-upgrade scenarios service-by-service"""
)
@click.argument("name", default="")
@flags(*GENERAL)
def scenarios(flags: Flags, name: str) -> None:
    """What can be done: all scenarios, or one in detail.

    Scenarios are shipped, or lie as YAML files in the directory `scenarios` beside config.yaml.
    """
    from . import scenario_file, settings
    from .core import codec

    directory = settings.read(flags.config).scenarios
    screen = Screen(flags)
    if name:
        found = scenario_file.load(name, directory=directory)
        screen.result(codec.to_builtins(found), scenario_in_text(found))
        return
    every = [scenario_file.load(one, directory=directory) for one in scenario_file.names(directory)]
    documents = [{"name": one.name, "summary": one.summary, "source": one.source} for one in every]
    screen.result(
        {"scenarios": documents}, columns(("scenario", "what it does"), [(one.name, one.summary) for one in every])
    )


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade check service-by-service
  nornir-upgrade check service-by-service -o json
  nornir-upgrade check plan.json"""
)
@click.argument("target", metavar="PLAN.json|SCENARIO")
@setting
@flags(*GENERAL, *FLEET)
def check(flags: Flags, target: str, assignments: tuple[str, ...]) -> int:
    """Look for what stands in the way, and change nothing.

    Exit code 24 where a finding blocks, 30 where a host is not reached; advisory ones are told, and block nothing.
    """
    from . import checking, settings
    from .controller import looking
    from .core import codec
    from .preparation import blocking, findings_in_text, summary

    screen = Screen(flags)
    wanted = _saved(flags, target, assignments) or _scenario(flags, target, assignments)
    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        found = checking.check(fleet, settings.read(flags.config), wanted, screen.note)
    in_the_way = blocking(found)
    screen.result(
        {"findings": codec.to_builtins(found), "blocking": len(in_the_way)},
        "\n".join([findings_in_text(found), summary(found)]).strip(),
    )
    if lost := checking.unreached(found):
        screen.warn(f"not reached: {', '.join(lost)}; see to them, or leave them out with --limit")
        return Unreachable.exit_code
    return Blocked.exit_code if in_the_way else 0


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade plan service-by-service
  nornir-upgrade plan service-by-service --serial 1,50% --out plan.json
  nornir-upgrade plan service-by-service --limit '@compute' --diff"""
)
@click.argument("name", metavar="SCENARIO")
@setting
@click.option(
    "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, for `run`."
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 100 where there is something to do.")
@flags(*GENERAL, *FLEET, *WAVES)
def plan(flags: Flags, name: str, assignments: tuple[str, ...], out: Path | None, detailed_exitcode: bool) -> int:
    """Say what would be done, and change nothing.

    Hosts for which the same is planned are shown together; points of no return are marked.
    """
    from . import settings
    from .controller import looking
    from .core import codec
    from .plan_text import outline, text
    from .preparation import prepare

    screen = Screen(flags)
    wanted = _scenario(flags, name, assignments)
    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        prepared = prepare(fleet, wanted, screen.note, settings.read(flags.config).state)
        made = prepared.allowed()
        proofs = _proofs(flags, fleet, made, prepared.facts, screen)
    _advise(screen, prepared.findings)
    shown = outline(made, prepared.facts, wanted, proofs)
    if out:
        write(out, codec.dumps(made, indent=2) + "\n")
    screen.result(codec.to_builtins(shown), text(shown, full=flags.diff))
    if out:
        screen.note(f"Saved as {out}; carry it out with: nornir-upgrade run {quote([str(out)])}")
    return SOMETHING_TO_DO if detailed_exitcode and made.waves else 0


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade run plan.json
  nornir-upgrade run service-by-service --yes --on-failure unwind
  nornir-upgrade run plan.json --stop-after 1           # prepare, and touch no service yet
  nornir-upgrade run service-by-service --serial 1,50% --stop-after 2"""
)
@click.argument("target", metavar="PLAN.json|SCENARIO")
@setting
@click.option(
    "--force", is_flag=True, help="Do not ask whether to go past advisory findings; blocking ones always block."
)
@flags(*GENERAL, *FLEET, *WAVES, *CONSENT, *STOPPING)
def run(flags: Flags, target: str, assignments: tuple[str, ...]) -> int:
    """Execute a saved plan, or plan and execute a scenario.

    A saved plan is executed verbatim, or refused where a host is no longer what it was planned for.
    """
    from .controller import at_work, gather_all, keep_snapshot, refuse_drift, refuse_irreversible, refuse_unfinished
    from .core.plan import Plan
    from .execution import go_forward
    from .keeping import keep_old_packages
    from .proof import refuse_no_way_back

    screen = Screen(flags)
    screen.require_consent()
    wanted = _saved(flags, target, assignments) or _scenario(flags, target, assignments)
    with at_work(flags.config, f"nornir-upgrade run {target}", limit=flags.limit, workers=flags.workers) as controller:
        refuse_unfinished(controller.journal, flags.config)
        if isinstance(wanted, Plan):
            made, proofs = _verbatim(flags, controller.fleet, wanted, screen)
        else:
            made, proofs = _fresh(flags, controller.fleet, wanted, screen)
        if not any(made.steps()):
            screen.result({"run": None, "exit_code": 0}, "Nothing to do.")
            return 0
        refuse_irreversible(made, frozenset(flags.accept))
        refuse_no_way_back(proofs, frozenset(flags.accept))
        screen.confirm("Go ahead?")
        facts = gather_all(controller.fleet, databases_before(made, controller.fleet))
        refuse_drift(made, facts)
        keep_old_packages(controller, made, facts, frozenset(flags.accept), screen)
        opened = controller.journal.open_run(made, comment=flags.comment)
        keep_snapshot(controller.journal, facts, opened)
        controller.journal.consent(opened.id, flags.accept)
        return go_forward(controller, opened, policy(flags, made), screen, or_unwind=flags.on_failure == "unwind")


def databases_before(plan: "Plan", fleet: "NornirFleet") -> dict[str, tuple[str, ...]]:
    """The databases whose content belongs to the snapshot before `plan`, by host: the inventory's, and those that it dumps."""
    from .controller import databases_of
    from .steps.databases import DumpDatabase

    found = {host: dict.fromkeys(names) for host, names in databases_of(fleet).items()}
    for _, host, step in plan.steps():
        if isinstance(step, DumpDatabase):
            found.setdefault(host, {})[step.database] = None
    return {host: tuple(names) for host, names in found.items()}


def scenario_in_text(scenario: "Scenario") -> str:
    """A scenario in detail: its settings, then stage by stage what goes, how long it is away, and the way back."""
    lines = [f"{scenario.name}: {scenario.summary}", f"({scenario.source})"]
    if scenario.settings:
        lines += ["", "settings (--set KEY=VALUE)"]
    for one in scenario.settings:
        lines += [f"  {one.name}={one.value}", f"      {one.text}"]
    lines += ["", "repositories"]
    lines += [f"  {one.family}: {one.new.path} comes, {one.old.path} goes" for one in scenario.repositories]
    for number, stage in enumerate(scenario.stages, 1):
        lines += ["", f"stage {number}/{len(scenario.stages)}  {stage.name}, on {', '.join(stage.groups)}"]
        told = (
            ("services", ", ".join(service.name for service in stage.services)),
            ("outage", stage.outage),
            ("way back", stage.way_back),
        )
        lines += [f"    {name + ':':<9} {value}" for name, value in told if value]
    return printable("\n".join(lines))


def _scenario(flags: Flags, name: str, assignments: tuple[str, ...]) -> "Scenario":
    from . import scenario_file, settings

    given = scenario_file.pairs(assignments) | ({"serial": flags.serial} if flags.serial else {})
    return scenario_file.load(name, given, settings.read(flags.config).scenarios)


def _saved(flags: Flags, target: str, assignments: tuple[str, ...]) -> "Plan | None":
    """The saved plan that `target` names, None where it names a scenario."""
    from . import vocabulary as vocabulary
    from .core import codec
    from .core.plan import FORMAT, Plan

    if not target.endswith(".json"):
        return None
    if flags.limit or flags.serial or assignments:
        raise click.UsageError("a saved plan is executed verbatim: --limit, --serial and --set belong to `plan`")
    try:
        text = Path(target).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{target}: {error.strerror}", hint="nornir-upgrade plan SCENARIO --out FILE saves one"
        ) from None
    found = codec.loads(text, Plan, source=target)
    if found.format != FORMAT:
        raise InvalidInput(f"{target}: a plan of format {found.format}; this program reads {FORMAT}", hint="plan again")
    return found


def _verbatim(flags: Flags, fleet: "NornirFleet", saved: "Plan", screen: Screen) -> "tuple[Plan, tuple[Proof, ...]]":
    """The saved plan, shown, with the proof of its way back.

    Raises `Drift`, and `Blocked` where the preflight of its scenario, if that still exists, says so.
    """
    from . import checking, settings
    from .controller import gather_all, refuse_drift
    from .preparation import Prepared, blocking

    screen.note(f"Gathering facts from {len(fleet.names)} hosts")
    facts = gather_all(fleet)
    refuse_drift(saved, facts)
    chosen = settings.read(flags.config)
    if not (known := checking.scenario_of(saved, chosen)):
        proofs = _proofs(flags, fleet, saved, facts, screen)
        _show(flags, screen, saved, facts, None, proofs)
        return saved, proofs
    found = checking.of_plan(fleet, known, facts, chosen)
    Prepared(known, facts, found, None if blocking(found) else saved).allowed()
    _go_past(flags, screen, found)
    proofs = _proofs(flags, fleet, saved, facts, screen)
    _show(flags, screen, saved, facts, known, proofs)
    return saved, proofs


def _fresh(flags: Flags, fleet: "NornirFleet", wanted: "Scenario", screen: Screen) -> "tuple[Plan, tuple[Proof, ...]]":
    """The plan of a scenario, shown, with the proof of its way back. Raises `Blocked`, `Unreachable`, and what the planner refuses."""
    from . import settings
    from .preparation import prepare

    prepared = prepare(fleet, wanted, screen.note, settings.read(flags.config).state)
    made = prepared.allowed()
    _go_past(flags, screen, prepared.findings)
    proofs = _proofs(flags, fleet, made, prepared.facts, screen)
    _show(flags, screen, made, prepared.facts, wanted, proofs)
    return made, proofs


def _proofs(
    flags: Flags, fleet: "NornirFleet", plan: "Plan", facts: "dict[str, HostFacts]", screen: Screen
) -> "tuple[Proof, ...]":
    from . import settings
    from .core.escrow import Escrow
    from .core.store import Store
    from .proving import prove

    escrow = Escrow.beside(Store(settings.read(flags.config).store))
    return prove(fleet, plan, facts, escrow, screen.note, keeping=settings.read(flags.config).keep != "none")


def _show(
    flags: Flags,
    screen: Screen,
    plan: "Plan",
    facts: "dict[str, HostFacts]",
    scenario: "Scenario | None",
    proofs: "tuple[Proof, ...]",
) -> None:
    from .plan_text import outline, text

    screen.note(text(outline(plan, facts, scenario, proofs), full=flags.diff))


def _go_past(flags: Flags, screen: Screen, findings: "tuple[Finding, ...]") -> None:
    """Returns when nobody minds the advisory ones. Raises `Abort` otherwise."""
    from .preparation import advisory, summary

    _advise(screen, findings)
    if advisory(findings) and not flags.force:
        screen.confirm(f"Preflight: {summary(findings)}. Go on?")


def _advise(screen: Screen, findings: "tuple[Finding, ...]") -> None:
    from .preparation import findings_in_text

    if findings:
        screen.note(findings_in_text(findings))


door.add_command(resume)
door.add_command(unwind)
door.add_command(status)
door.add_command(history)
door.add_command(report)
door.add_command(lab)


def main() -> NoReturn:
    """The console script."""
    enter(door)


if __name__ == "__main__":
    main()
