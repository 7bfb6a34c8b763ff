"""Text: a scenario in words. Pure."""

from collections.abc import Iterator

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.packaging.origins import Origin

from .model import Repositories, Scenario


def scenario_in_text(scenario: Scenario) -> str:
    """A scenario in detail: its settings and repositories, then the packages, outage and way back of each stage."""
    lines = [f"{scenario.name}: {scenario.summary}", f"({scenario.source})"]
    if scenario.settings:
        lines += ["", "settings (--set KEY=VALUE)"]
    for setting in scenario.settings:
        lines += [f"  {setting.name}={setting.value}", f"      {setting.text}"]
    if changing := [one for one in scenario.repositories if one.change]:
        lines += ["", "repositories", *(f"  {one.family}: {line}" for one in changing for line in _change(one))]
    for number, stage in enumerate(scenario.stages, 1):
        lines += ["", f"stage {number}/{len(scenario.stages)}  {stage.name}, on {', '.join(stage.groups)}"]
        fields = (
            ("packages", ", ".join(stage.packages)),
            ("only from", "; or ".join(map(_origin, stage.only_from))),
            ("batches", "" if stage.database else stage.serial),
            ("services", ", ".join(service.name for service in stage.services)),
            ("outage", stage.outage),
            ("way back", stage.way_back),
        )
        lines += [f"    {name + ':':<10} {value}" for name, value in fields if value]
    return printable("\n".join(lines))


def _change(repositories: Repositories) -> Iterator[str]:
    """The changes of repository files, a line each."""
    old, new = repositories.old, repositories.new
    if repositories.in_place and new:
        yield f"{new.path} is replaced"
    else:
        yield from (f"{file.path} is added" for file in (new,) if file)
        yield from (f"{file.path} is removed at the end" for file in (old,) if file)
    for rewrite in repositories.rewrites:
        yield f"{rewrite.path}: suites {', '.join(f'{old} become {new}' for old, new in rewrite.suites)}"


def _origin(origin: Origin) -> str:
    return ", ".join(f"{name} {value}" for name in origin.__slots__ if (value := getattr(origin, name)))
