"""What the code knows, and users can meet: read off the code itself, never listed here."""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from netmiko.base_connection import BaseConnection

import nornir_upgrade
import rollback
from nornir_upgrade import finding
from nornir_upgrade.cli.main import app as forward
from nornir_upgrade.config import settings
from nornir_upgrade.console import exit_codes
from nornir_upgrade.core import step
from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.inventory import fleet, inventory_files
from nornir_upgrade.core.transport import jobs
from nornir_upgrade.steps import registry
from rollback.cli.main import door as back

assert registry  # importing it makes every kind of step known
PACKAGES: tuple[ModuleType, ...] = (nornir_upgrade, rollback)
PROGRAMS: dict[str, click.Group] = {"nornir-upgrade": forward, "rollback": back}


# ---------------------------------------------------------------------- verbs and flags


@functools.cache
def verbs() -> dict[str, click.Command]:
    """Each verb by what is typed, `rollback escrow list`, groups among them; the programs themselves are none."""
    found: dict[str, click.Command] = {}

    def walk(name: str, command: click.Command) -> None:
        for word, verb in command.commands.items() if isinstance(command, click.Group) else ():
            found[f"{name} {word}"] = verb
            walk(f"{name} {word}", verb)

    for name, program in PROGRAMS.items():
        walk(name, program)
    return found


def options(command: click.Command) -> dict[str, click.Option]:
    """The options of a verb or program by each of their names."""
    own = [one for one in command.params if isinstance(one, click.Option)]
    return {name: one for one in own for name in (*one.opts, *one.secondary_opts)}


def general() -> set[str]:
    """The names of those options that may stand before any verb."""
    shared = (set(options(program)) for program in PROGRAMS.values())
    return set.intersection(*shared) - {"--version"}


# ---------------------------------------------------------------------- settings


@functools.cache
def defaults() -> dict[str, str]:
    """Each key of `user_defined`, and what counts where the file says nothing."""
    with tempfile.TemporaryDirectory() as home:
        config = Path(home).resolve() / "config.yaml"
        config.write_text("user_defined: {}\n")
        found = settings.read(config)
    values = {key: getattr(found, key) for key in settings.KEYS}
    if values["reconnect"] is None:  # left to the fleet
        values["reconnect"] = round(jobs.PATIENCE)
    return {
        key: str(value.relative_to(config.parent) if isinstance(value, Path) else value)
        for key, value in values.items()
    }


PLACES = frozenset(settings.PLACES)
"""Values of `keep`."""
SECTIONS = frozenset(fleet._SECTIONS)
ELEMENT = frozenset(inventory_files._ELEMENT)
FILES_OF_EXTRAS = frozenset(fleet._PATHS)
EXTRAS = frozenset(inspect.signature(BaseConnection.__init__).parameters)
"""What netmiko takes."""


@functools.cache
def trees() -> dict[Path, ast.Module]:
    """The modules of both packages."""
    files = [file for package in PACKAGES for file in Path(package.__path__[0]).rglob("*.py")]
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files if "data" not in file.parts}


def _calls() -> Iterator[ast.Call]:
    return (node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.Call))


@functools.cache
def data_keys() -> set[str]:
    """The keys that are read of the inventory's data of a host: `….data.get("key")`."""
    return {
        call.args[0].value
        for call in _calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "get"
        and isinstance(call.func.value, ast.Attribute)
        and call.func.value.attr == "data"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


# ---------------------------------------------------------------------- findings, failures, steps

WAIVABLE = frozenset(finding.WAIVABLE)
LISTING = Path(inspect.getfile(finding))
FINDINGS = WAIVABLE | frozenset(finding.STRICT)


@functools.cache
def made_findings() -> set[str]:
    """The keys with which a `Finding` is made, as far as they stand there as text."""
    return {
        call.args[0].value
        for call in _calls()
        if isinstance(call.func, ast.Name)
        and call.func.id == "Finding"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


@functools.cache
def texts_elsewhere() -> set[str]:
    """All short texts in the code outside of the module that lists the keys of findings."""
    return {
        node.value
        for file, tree in trees().items()
        if file != LISTING
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 40
    }


@functools.cache
def failures() -> dict[str, int]:
    """The exit code of each reference of a failure."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    def below(kind: type[Failure]) -> Iterator[type[Failure]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    return {one.reference: one.exit_code for one in below(Failure) if _ours(one)}


def codes() -> set[int]:
    """Those that `--help` lists, those of failures, and that of a program whose output nobody reads."""
    return helped_codes() | {*failures().values(), exit_codes.CLOSED_PIPE}


def helped_codes() -> set[int]:
    """Those that `--help` lists."""
    return {int(code) for code in re.findall(r"(?m)^ +(\d+) ", exit_codes.EXIT_CODES)}


def steps() -> set[str]:
    """The kinds of steps and gates."""
    return {kind for kind, one in step.REGISTRY.items() if _ours(one)}


def _ours(kind: type[Any]) -> bool:
    """Whether it is no test's."""
    return kind.__module__.partition(".")[0] in {package.__name__ for package in PACKAGES}
