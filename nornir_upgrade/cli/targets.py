"""Targets: the scenario or saved plan that a command line names."""

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


def named(flags: Flags, name: str, assignments: tuple[str, ...]) -> Plan | Scenario:
    """The saved plan or scenario called `name`. Raises as `scenario`, and `InvalidInput` for a file that is no plan."""
    return _saved(flags, name, assignments) or scenario(flags, name, assignments)


def scenario(flags: Flags, name: str, assignments: tuple[str, ...]) -> Scenario:
    """The scenario `name` with the settings of `--set`. Raises `UnknownName` for a name or setting, and `InvalidInput`."""
    assigned = loader.assigned_settings(assignments)
    return loader.load(name, assigned, settings.read(flags.config).scenarios, flags.serial)


def _saved(flags: Flags, name: str, assignments: tuple[str, ...]) -> Plan | None:
    """The saved plan in the file `name`; None if it names a scenario."""
    if not name.endswith(".json"):
        return None
    if flags.limit or flags.serial or assignments:
        raise click.UsageError("a saved plan is executed verbatim: --limit, --serial and --set belong to `plan`")
    try:
        text = Path(name).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{name}: {error.strerror}", hint="nornir-upgrade plan SCENARIO --out FILE saves one"
        ) from None
    plan = codec.loads(text, Plan, source=name)
    if plan.format != FORMAT:
        raise InvalidInput(f"{name}: a plan of format {plan.format}; this program reads {FORMAT}", hint="plan again")
    return plan
