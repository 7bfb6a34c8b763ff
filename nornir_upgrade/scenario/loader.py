"""Where scenarios are found: those that are shipped, those beside config.yaml, and any file; with the settings given for them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from nornir_upgrade.config import yaml
from nornir_upgrade.core.errors import InvalidInput, UnknownName

from .model import Scenario
from .parser import parse


def names(directory: Path | None = None) -> tuple[str, ...]:
    """The scenarios that can be named: shipped ones, and those in `directory`; sorted."""
    shipped = (entry.name for entry in resources.files("nornir_upgrade.scenarios").iterdir())
    local = (path.name for path in directory.glob("*.yaml")) if directory and directory.is_dir() else ()
    return tuple(sorted({name.removesuffix(".yaml") for name in (*shipped, *local) if name.endswith(".yaml")}))


def load(
    name: str, settings: Mapping[str, str] | None = None, directory: Path | None = None, serial: str = ""
) -> Scenario:
    """The scenario called `name`, or in the file `name` where that is a path (ends in .yaml or .yml, or has a slash).

    One in `directory` goes before a shipped one of the same name. `settings` replace defaults, `serial` the sizes of batches.
    Raises `UnknownName` listing what exists (scenarios, settings), `InvalidInput` naming file, line and key.
    """
    with _source(name, directory) as path:
        return parse(yaml.read(path, _shown(path)), settings or {}, serial)


def load_all(directory: Path | None = None) -> tuple[list[Scenario], dict[str, InvalidInput]]:
    """All scenarios that can be named, and what is wrong with the files that are none, by name."""
    found: list[Scenario] = []
    wrong: dict[str, InvalidInput] = {}
    for name in names(directory):
        try:
            found.append(load(name, directory=directory))
        except InvalidInput as refusal:
            wrong[name] = refusal
    return found, wrong


def assigned_settings(given: Iterable[str]) -> dict[str, str]:
    """The settings that `--set KEY=VALUE` gave. Raises `InvalidInput` where one is no KEY=VALUE, or given twice."""
    found: dict[str, str] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--set {one!r}: not KEY=VALUE")
        if key in found:
            raise InvalidInput(f"--set {key} is given twice")
        found[key] = value
    return found


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
    """A path below the current directory as one would type it, any other by its name alone when it is a shipped one."""
    if path.is_relative_to(Path(__file__).parents[1]):
        return f"scenarios/{path.name}"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
