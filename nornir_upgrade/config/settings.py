"""Settings: what `user_defined` in config.yaml says, for both command lines. Every error names file, line and key."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from nornir_upgrade.core.errors import InvalidInput

Keep = Literal["controller", "host", "both", "none"]
PLACES: tuple[Keep, ...] = get_args(Keep)
DEFAULT_CONFIG = "config.yaml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Our part of config.yaml.

    `state` holds journal and store; `scenarios` local scenarios; `lab` the lab. All three are absolute here, and relative to
    config.yaml in the file. `workers` is how many hosts are worked on at once; 0 leaves it to Nornir's runner options.
    `reconnect` is how many seconds a host that was there may take to come back; None leaves it to the fleet.
    `keep` says where the old packages of a run are kept: on the `controller`, on the `host` that would need them, on `both`, or
    nowhere (`none`).
    `given` is config.yaml's path as it was given, fit for a command to be typed.
    """

    given: Path
    config: Path
    state: Path
    scenarios: Path
    lab: Path
    workers: int = 0
    reconnect: int | None = None
    keep: Keep = "controller"

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / "journal.db"

    @property
    def store(self) -> Path:
        """The store's directory."""
        return self.state / "store"


_MOST_WORKERS = 1000
_LONGEST_PATIENCE = 3600
KEYS = ("state", "scenarios", "lab", "workers", "reconnect", "keep")


def read(config: Path) -> Settings:
    """The settings in `config`. Changes nothing. Raises `InvalidInput` naming file, line and key."""
    from . import yaml  # the parser is not needed to show help

    if not config.is_file():
        raise InvalidInput(
            f"{config}: no such file", hint="name the configuration with -c FILE, or go to where config.yaml is"
        )
    top = yaml.read(config, str(config))
    ours = top.items().get("user_defined") if top.value is not None else None
    given = ours.fields((), KEYS) if ours and ours.value is not None else {}

    def directory(key: str, default: str) -> Path:
        name = given[key].text(r"[^\0\n]+", what="the name of a directory") if key in given else default
        return config.absolute().parent / name

    return Settings(
        given=config,
        config=config.absolute(),
        state=directory("state", ".state"),
        scenarios=directory("scenarios", "scenarios"),
        lab=directory("lab", ".lab"),
        workers=given["workers"].number(0, _MOST_WORKERS) if "workers" in given else 0,
        reconnect=given["reconnect"].number(0, _LONGEST_PATIENCE) if "reconnect" in given else None,
        keep=cast(Keep, given["keep"].text("|".join(PLACES), what=f"one of {', '.join(PLACES)}"))
        if "keep" in given
        else "controller",
    )


def lab_directory(config: Path) -> Path:
    """The lab's directory. The lab needs no configuration: without one it stands in `.lab` where we are."""
    if config == Path(DEFAULT_CONFIG) and not config.exists():
        return config.absolute().parent / ".lab"
    return read(config).lab


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
