"""Settings: what `user_defined` in config.yaml says, for both command lines. Every error names file, line and key."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .core.errors import InvalidInput

DEFAULT_CONFIG = "config.yaml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Our part of config.yaml.

    `state` holds journal and store; `scenarios` local scenarios; `lab` the lab. All three are absolute here, and relative to
    config.yaml in the file. `workers` is how many hosts are worked on at once; 0 leaves it to Nornir's runner options.
    `given` is config.yaml's path as it was given, fit for a command to be typed.
    """

    given: Path
    config: Path
    state: Path
    scenarios: Path
    lab: Path
    workers: int = 0

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / "journal.db"

    @property
    def store(self) -> Path:
        """The store's directory."""
        return self.state / "store"


_MOST_WORKERS = 1000
KEYS = tuple(field.name for field in fields(Settings) if field.name not in ("given", "config"))


def read(config: Path) -> Settings:
    """The settings in `config`. Changes nothing. Raises `InvalidInput` naming file, line and key."""
    place = config.absolute()
    top = _mapping(_document(config), f"{config}")
    known = _mapping(top.get("user_defined") or {}, _where(config, top, "user_defined"))
    for key in known:
        if key not in KEYS:
            raise InvalidInput(
                f"{_where(config, known, key)}: there is no such setting", hint=f"there is: {', '.join(KEYS)}"
            )

    def directory(key: str, default: str) -> Path:
        return place.parent / _text(known.get(key, default), _where(config, known, key))

    return Settings(
        given=config,
        config=place,
        state=directory("state", ".state"),
        scenarios=directory("scenarios", "scenarios"),
        lab=directory("lab", ".lab"),
        workers=_number(known.get("workers", 0), _MOST_WORKERS, _where(config, known, "workers")),
    )


def make_private(directory: Path) -> None:
    """Afterwards `directory` exists and is ours alone (0700). Raises `InvalidInput` where that cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid != os.geteuid():
            raise InvalidInput(
                f"{directory} belongs to another user", hint="name one of yours under user_defined: state:"
            )
        directory.chmod(0o700)
    except OSError as error:
        raise InvalidInput(f"{directory}: {error.strerror}", hint="name another under user_defined: state:") from None


def _document(config: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="rt").load(config.read_text(encoding="utf-8")) or {}
    except OSError as error:
        hint = "name the configuration with -c FILE, or go to the directory where config.yaml is"
        raise InvalidInput(f"{config}: {error.strerror}", hint=hint) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{config}: byte {error.start} is no UTF-8") from None
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidInput(f"{config}{line}: not YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise InvalidInput(f"{config}: not YAML: {error}") from None


def _where(config: Path, mapping: Mapping[str, Any], key: str) -> str:
    """File, line and key, as messages begin; ruamel counts lines from 0, and knows none of keys that are not there."""
    try:
        line = f", line {mapping.lc.key(key)[0] + 1}"  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError):
        line = ""
    return f"{config}{line}: {key}"


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{where}: must hold keys and values, not {value!r}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidInput(f"{where}: must be the name of a directory, not {value!r}")
    return value


def _number(value: Any, largest: int, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise InvalidInput(f"{where}: must be a whole number from 0 to {largest}, not {value!r}")
    return value
