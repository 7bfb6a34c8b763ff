"""Settings: the section `user_defined` of config.yaml, for both command lines. Every error names file, line and key."""

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
    """The settings of this program in config.yaml.

    `state` is the directory of journal and store, `scenarios` that of local scenarios, `lab` that of the lab. All three are
    absolute here; in the file they are relative to config.yaml.
    `workers` is the number of hosts to work on at the same time; with 0, Nornir's runner options decide.
    `reconnect` is the number of seconds to wait for a host that was connected before; with None, the fleet decides.
    `keep` is the place of a run's old packages: the `controller`, the `host` that would need them, `both`, or `none`.
    `given` is the path of config.yaml as it was given, for commands that are shown to the user.
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
        """Path of the journal."""
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
            f"{config}: no such file", hint="name the configuration with -c FILE, or change to its directory"
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
    """The lab's directory. The lab needs no configuration: without one it is `.lab` in the working directory."""
    if config == Path(DEFAULT_CONFIG) and not config.exists():
        return config.absolute().parent / ".lab"
    return read(config).lab


def make_private(directory: Path) -> None:
    """Afterwards `directory` exists, and only this user has access (0700). Raises `InvalidInput` if that is not possible."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid != os.geteuid():
            raise InvalidInput(
                f"{directory} belongs to another user", hint="name one of yours under user_defined: state:"
            )
        directory.chmod(0o700)
    except OSError as error:
        raise InvalidInput(f"{directory}: {error.strerror}", hint="name another under user_defined: state:") from None
