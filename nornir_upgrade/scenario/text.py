"""A scenario in words. Pure."""

from collections.abc import Iterator

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.packaging.origins import Origin

from .model import Repositories, Scenario


def scenario_in_text(scenario: Scenario) -> str:
    """A scenario in detail: its settings, then stage by stage what goes, how long it is away, and the way back."""
    lines = [f"{scenario.name}: {scenario.summary}", f"({scenario.source})"]
    if scenario.settings:
        lines += ["", "settings (--set KEY=VALUE)"]
    for one in scenario.settings:
        lines += [f"  {one.name}={one.value}", f"      {one.text}"]
    if changing := [one for one in scenario.repositories if one.change]:
        lines += ["", "repositories", *(f"  {one.family}: {line}" for one in changing for line in _change(one))]
    for number, stage in enumerate(scenario.stages, 1):
        lines += ["", f"stage {number}/{len(scenario.stages)}  {stage.name}, on {', '.join(stage.groups)}"]
        told = (
            ("packages", ", ".join(stage.packages)),
            ("only from", "; or ".join(map(_origin, stage.only_from))),
            ("batches", "" if stage.database else stage.serial),
            ("services", ", ".join(service.name for service in stage.services)),
            ("outage", stage.outage),
            ("way back", stage.way_back),
        )
        lines += [f"    {name + ':':<10} {value}" for name, value in told if value]
    return printable("\n".join(lines))


def _change(its: Repositories) -> Iterator[str]:
    """What becomes of the files of a family, a line each."""
    if its.in_place and its.new:
        yield f"{its.new.path} is replaced"
    else:
        yield from (f"{one.path} is added" for one in (its.new,) if one)
        yield from (f"{one.path} is removed at the end" for one in (its.old,) if one)
    for one in its.rewrites:
        yield f"{one.path}: suites {', '.join(f'{old} become {new}' for old, new in one.suites)}"


def _origin(one: Origin) -> str:
    return ", ".join(f"{name} {value}" for name in one.__slots__ if (value := getattr(one, name)))
