"""A scenario in words. Pure."""

from .scenario import Scenario
from .words import printable


def in_text(scenario: Scenario) -> str:
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
