"""Loader: scenarios that are shipped, beside config.yaml, or in any file; with the settings given for them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from nornir_upgrade.config import yaml
from nornir_upgrade.core.errors import InvalidInput, UnknownName

from .model import Scenario
from .parser import parse


def names(directory: Path | None = None) -> tuple[str, ...]:
    """The names of all scenarios, shipped ones and those in `directory`, sorted."""
    shipped = (entry.name for entry in resources.files("nornir_upgrade.scenarios").iterdir())
    local = (path.name for path in directory.glob("*.yaml")) if directory and directory.is_dir() else ()
    return tuple(sorted({name.removesuffix(".yaml") for name in (*shipped, *local) if name.endswith(".yaml")}))


def load(
    name: str, settings: Mapping[str, str] | None = None, directory: Path | None = None, serial: str = ""
) -> Scenario:
    """The scenario `name`. A name with a slash or the suffix .yaml or .yml is the path of a file.

    A scenario in `directory` has precedence over a shipped one of the same name. `settings` replace defaults, `serial` replaces
    the sizes of batches.
    Raises `UnknownName` listing the existing scenarios or settings, and `InvalidInput` naming file, line and key.
    """
    with _source(name, directory) as path:
        return parse(yaml.read(path, _shown(path)), settings or {}, serial)


def load_all(directory: Path | None = None) -> tuple[list[Scenario], dict[str, InvalidInput]]:
    """All valid scenarios, and the refusals of the invalid ones by name."""
    scenarios: list[Scenario] = []
    refusals: dict[str, InvalidInput] = {}
    for name in names(directory):
        try:
            scenarios.append(load(name, directory=directory))
        except InvalidInput as refusal:
            refusals[name] = refusal
    return scenarios, refusals


def assigned_settings(assignments: Iterable[str]) -> dict[str, str]:
    """The settings of `--set KEY=VALUE`. Raises `InvalidInput` if one is not KEY=VALUE, or given twice."""
    settings: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--set {assignment!r}: not KEY=VALUE")
        if key in settings:
            raise InvalidInput(f"--set {key} is given twice")
        settings[key] = value
    return settings


@contextmanager
def _source(name: str, directory: Path | None) -> Iterator[Path]:
    if "/" in name or name.endswith((".yaml", ".yml")):
        yield Path(name)
        return
    existing = names(directory)
    if name not in existing:
        raise UnknownName("scenario", name, existing)
    if directory and (local := directory / f"{name}.yaml").is_file():
        yield local
        return
    with resources.as_file(resources.files("nornir_upgrade.scenarios") / f"{name}.yaml") as path:
        yield path


def _shown(path: Path) -> str:
    """The path for messages: relative below the working directory, `scenarios/NAME.yaml` for a shipped scenario."""
    if path.is_relative_to(Path(__file__).parents[1]):
        return f"scenarios/{path.name}"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
