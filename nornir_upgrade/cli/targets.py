"""Targets: what a command line names to be carried out, a scenario or a saved plan."""

from pathlib import Path

import click

from nornir_upgrade.config import settings
from nornir_upgrade.console.options import Flags
from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.plan import FORMAT, Plan
from nornir_upgrade.scenario import loader
from nornir_upgrade.scenario.model import Scenario
from nornir_upgrade.steps import registry as registry


def named(flags: Flags, target: str, assignments: tuple[str, ...]) -> Plan | Scenario:
    """The saved plan or the scenario that `target` names. Raises as `scenario` does, and `InvalidInput` for what is no plan."""
    return _saved(flags, target, assignments) or scenario(flags, target, assignments)


def scenario(flags: Flags, name: str, assignments: tuple[str, ...]) -> Scenario:
    """The scenario `name`, with the settings that were given. Raises `UnknownName`, and `InvalidInput` for one that it lacks."""
    given = loader.pairs(assignments)
    return loader.load(name, given, settings.read(flags.config).scenarios, flags.serial)


def _saved(flags: Flags, target: str, assignments: tuple[str, ...]) -> Plan | None:
    """The saved plan that `target` names, None where it names a scenario."""
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
