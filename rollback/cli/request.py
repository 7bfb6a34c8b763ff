"""Requests: the flags of `compute` and of `apply` as one value each, and what they mean."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.output import Screen

from .options import chosen_snapshot

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet
    from nornir_upgrade.core.journal import Journal
    from nornir_upgrade.core.store import Store
    from rollback.assess import Assessment
    from rollback.foreign.removal import Parting
    from rollback.snapshot import Snapshot
    from rollback.solver.nearest import Nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBackRequest:
    """The flags of a way back of hosts to a snapshot, as they were given."""

    run: str = ""
    snapshot: str = ""
    missing: str | None = None
    only: tuple[str, ...] = ()
    remove_foreign: bool = False
    purge: tuple[str, ...] = ()

    @property
    def solver(self) -> "Nearest":
        """The solver that --missing and --only ask for."""
        from rollback.solver.nearest import Nearest

        return Nearest(self.missing or "keep", self.only)  # type: ignore[arg-type]

    @property
    def parting(self) -> "Parting":
        """What --remove-foreign and --purge ask for."""
        from rollback.foreign.removal import Parting

        return Parting(self.remove_foreign, self.purge)

    def refuse_blank_patterns(self) -> None:
        """Raises `UsageError` if a pattern of --only or --purge is empty or has white space: no package has such a name."""
        for flag, patterns in (("--only", self.only), ("--purge", self.purge)):
            for pattern in patterns:
                if not pattern or any(char.isspace() for char in pattern):
                    raise click.UsageError(f"{flag} {pattern!r} can match no package")

    def snapshot_in(self, journal: "Journal") -> "Snapshot":
        """The snapshot to go back to. Raises as `chosen_snapshot`."""
        return chosen_snapshot(journal, self.run, self.snapshot)

    def assess(
        self, screen: Screen, fleet: "NornirFleet", journal: "Journal", store: "Store", snapshot: "Snapshot"
    ) -> "Assessment":
        """Assess the whole `fleet`; `screen` counts the hosts whose manifest is computed. Raises as `assess`."""
        from nornir_upgrade.console.counter import tally
        from rollback.assess import assess

        with tally(screen, "ways back found") as progress:
            return assess(
                fleet,
                fleet.names,
                journal,
                store,
                snapshot,
                solver=self.solver,
                asked=self.parting,
                progress=progress,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest(WayBackRequest):
    """The flags of `apply`, as they were given."""

    restore_db: bool = False
    manifest: Path | None = None

    def refuse_contradictions(self) -> None:
        """Raises `UsageError` for flags that change what is computed, beside manifests that are computed already."""
        if self.manifest is not None and (self.missing or self.only or self.remove_foreign):
            raise click.UsageError(
                "--manifest already decides what changes: give it without --missing, --only and --remove-foreign"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeRequest(WayBackRequest):
    """The flags of `compute`, as they were given: of hosts to a snapshot, of hosts to a release, or of text files."""

    installed: Path | None = None
    policy: tuple[Path, ...] = ()
    index: tuple[Path, ...] = ()
    target: Path | None = None
    arch: str = ""
    release: str = ""
    rename: tuple[str, ...] = ()

    @property
    def for_snapshot(self) -> bool:
        """Whether a flag was given that only a way back to a snapshot takes."""
        return bool(self.run or self.snapshot or self.missing or self.remove_foreign or self.purge)

    def refuse_text_flags(self) -> None:
        """Raises `UsageError` for flags that describe a machine by text files. --rename is for --release as well."""
        names = ("policy", "index", "target", "arch", *(() if self.release else ("rename",)))
        for name in names:
            if getattr(self, name):
                raise click.UsageError(
                    f"--{name} goes with --installed FILE" + (" or --release NAME" if name == "rename" else "")
                )


def collect(kind: type[WayBackRequest]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for verbs: hands over the flags that `kind` has fields for as one value, the keyword `request`."""
    names = frozenset(field.name for field in fields(kind))

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(verb)
        def call(*args: Any, **values: Any) -> Any:
            own = {name: values.pop(name) for name in tuple(values) if name in names}
            request = kind(**{name: value for name, value in own.items() if value is not None})
            return verb(*args, request=request, **values)

        return call

    return decorate
