"""Progress: watchers of the journal's events. A live table on a terminal, elsewhere plain lines with their time.

The journal calls a watcher under its lock, in the thread that appended the event. A watcher must be quick, and must not raise:
that would end the run.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from nornir_upgrade.core import waiting
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.run import Event, Run

from .output import Screen
from .text import cause, one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_STATES = {
    "step_started": "running",
    "step_done": "done",
    "step_failed": "failed",
    "gate_passed": "healthy",
    "gate_failed": "failed",
    "host_failed": "failed",
}
_STYLES = {"waiting": "dim", "running": "cyan", "done": "green", "healthy": "green", "failed": "bold red"}
_FIRST = ("failed", "running", "done", "healthy", "waiting")
_VERBOSITY = {"step_started": 1, "gate_passed": 1, "run_opened": 1, "run_undone": 1}  # other events are shown at 0


class Follower(Protocol):
    """Shows the events of one run as they happen."""

    def watch(self, event: Event) -> None:
        """Show `event`."""
        ...

    def note(self, text: str) -> None:
        """Show `text` between events."""
        ...

    def wait(self, host: str, what: str) -> None:
        """Show that `host` waits for `what`."""
        ...

    def end(self) -> None:
        """Afterwards the terminal is as before."""
        ...


@contextmanager
def progress(journal: Journal, run: Run, screen: Screen) -> Iterator[Follower]:
    """Within the block, the events of `run` are shown as they happen."""
    follower: Follower = Table(run) if screen.live else Lines(run, screen)
    with _watching(journal, run.id, follower.watch), waiting.heard_by(follower.wait):
        try:
            yield follower
        finally:
            follower.end()


@contextmanager
def _watching(journal: Journal, run: str, watch: Callable[[Event], None]) -> Iterator[None]:
    def watcher(event: Event) -> None:
        with suppress(Exception):
            if event.run == run:
                watch(event)

    journal.watchers.append(watcher)
    try:
        yield
    finally:
        journal.watchers.remove(watcher)


class Lines:
    """One line an event: local time, host, event. By default completed and failed steps; with -v started steps as well."""

    def __init__(self, run: Run, screen: Screen) -> None:
        self._run = run
        self._screen = screen

    def note(self, text: str) -> None:
        """Show `text` between events."""
        self._screen.warn(text)

    def wait(self, host: str, what: str) -> None:
        """Show that `host` waits for `what`, at any verbosity."""
        self._screen.warn(f"{datetime.now().astimezone():%H:%M:%S}  {host}: waits for {one_line(what)}")

    def end(self) -> None:
        """Do nothing: lines stay."""

    def watch(self, event: Event) -> None:
        """Show `event`, if the verbosity asks for it. Errors are always shown."""
        if event.error or (not self._screen.quiet and _VERBOSITY.get(event.what, 0) <= self._screen.verbose):
            self._screen.warn(in_words(event, len(self._run.plan.waves)))


def in_words(event: Event, waves: int) -> str:
    """`event` as one line: local time, host or wave, event."""
    moment = datetime.fromisoformat(event.at).astimezone().strftime("%H:%M:%S")
    what = event.what.replace("_", " ")
    if not event.host:
        what = (
            f"wave {event.wave + 1}/{waves} {'begins' if event.what == 'wave_opened' else 'is done'}"
            if event.wave >= 0
            else what
        )
        return f"{moment}  {what}: {one_line(event.text)}"
    if event.what == "gate_failed":  # the error names the gate
        return f"{moment}  {event.host}: gate failed: {one_line(cause(event.error, event.host))}"
    parts = (event.host, what.removeprefix("step "), one_line(event.text), one_line(event.error))
    return f"{moment}  {': '.join(part for part in parts if part)}"


# ---------------------------------------------------------------------- the live table


@dataclass(slots=True)
class _Row:
    """The row of a host. `since` is a time of time.monotonic, `elapsed` is in seconds."""

    host: str
    wave: str = ""
    text: str = ""
    state: str = "waiting"
    since: float = 0.0
    elapsed: float = 0.0


class Table:
    """One line a host: wave, state, elapsed time, step in words. If not all fit on the screen, busy hosts are first."""

    def __init__(self, run: Run) -> None:
        from rich.console import Console
        from rich.live import Live

        self.run = run
        self.rows = {host: _Row(host) for host in run.plan.hosts}
        for event in run.events:  # of a run that is resumed
            self.watch(event)
        for row in self.rows.values():
            row.since, row.elapsed = 0.0, 0.0
            row.state = "waiting" if row.state == "running" else row.state
        console = Console(stderr=True, highlight=False, markup=False)
        self.live = Live(self, console=console, refresh_per_second=4)
        self.live.start()

    def note(self, text: str) -> None:
        """Show `text` above the table."""
        self.live.console.print(text)

    def wait(self, host: str, what: str) -> None:
        """Show that `host` waits for `what`: above the table, and in the host's row until its next event."""
        if (row := self.rows.get(host)) and row.state in ("running", "waiting"):
            row.text = f"waits for {what}"
        self.note(f"{datetime.now().astimezone():%H:%M:%S}  {host}: waits for {one_line(what)}")

    def end(self) -> None:
        """Afterwards the table has its last state, and the cursor is visible. A closed terminal is no error."""
        with suppress(Exception):
            self.live.stop()

    def watch(self, event: Event) -> None:
        """Update the host's row. The screen is refreshed by itself."""
        row = self.rows.get(event.host)
        if row is None or event.what not in _STATES:
            return
        row.wave = f"{event.wave + 1}/{len(self.run.plan.waves)} {self.run.plan.waves[event.wave].name}"
        row.state = _STATES[event.what]
        row.text = event.error or event.text
        row.elapsed = time.monotonic() - row.since if row.since else 0.0
        row.since = time.monotonic() if row.state == "running" else 0.0

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=None, pad_edge=False, expand=False)
        for head in ("host", "wave", "state", "time", "step"):
            grid.add_column(head, no_wrap=True, overflow="ellipsis", justify="right" if head == "time" else "left")
        shown, rest = self._fitting(console.size.height - 3)
        for row in shown:
            style = _STYLES[row.state]
            cells = (row.host, one_line(row.wave), row.state, _seconds(row), one_line(row.text))
            grid.add_row(*(Text(cell, style=style if number == 2 else "") for number, cell in enumerate(cells)))
        yield grid
        if rest:
            yield Text(f"... and {len(rest)} hosts more", style="dim")

    def _fitting(self, lines: int) -> tuple[list[_Row], list[_Row]]:
        rows = list(self.rows.values())
        if len(rows) <= lines:
            return rows, []
        ordered = sorted(rows, key=lambda row: _FIRST.index(row.state))
        return ordered[: max(1, lines - 1)], ordered[max(1, lines - 1) :]


def _seconds(row: _Row) -> str:
    seconds = int(time.monotonic() - row.since if row.since else row.elapsed)
    return f"{seconds // 60}:{seconds % 60:02d}" if row.wave else ""
