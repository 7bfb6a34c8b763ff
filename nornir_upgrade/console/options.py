"""Options: the flags that verbs of both command lines share."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from nornir_upgrade.config.settings import DEFAULT_CONFIG
from nornir_upgrade.core.batches import Size
from nornir_upgrade.core.errors import InvalidInput

from .streams import colourful

_ONE = Size(1)


class _SizeType(click.ParamType[Size]):
    name = "N|N%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        if isinstance(value, Size):
            return value
        digits = str(value).removesuffix("%")
        percent = str(value).endswith("%")
        if not digits.isascii() or not digits.isdigit() or int(digits) < 1 or (percent and int(digits) > 100):
            self.fail(f"{value!r} is neither a number of hosts from 1 nor a percentage from 1% to 100%", param, ctx)
        return Size(int(digits), percent)


@dataclass(frozen=True, slots=True)
class Flags:
    """The values of the common flags. A flag that the verb lacks has its default."""

    config: Path = Path(DEFAULT_CONFIG)
    output: str = "text"
    verbose: int = 0
    quiet: bool = False
    no_color: bool = False
    limit: str = ""
    workers: int = 0
    serial: str = ""
    diff: bool = False
    max_fail: Size = _ONE
    on_failure: str = "halt"
    stop_after: int = 0
    accept: tuple[str, ...] = ()
    yes: bool = False
    force: bool = False
    comment: str = ""
    rehearse: bool = False

    @property
    def json(self) -> bool:
        """Whether the result on stdout is one JSON document."""
        return self.output == "json"


Option = Callable[[Callable[..., Any]], Callable[..., Any]]

GENERAL: tuple[Option, ...] = (
    click.option(
        "-c",
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=DEFAULT_CONFIG,
        show_default=True,
        help="Nornir's configuration file, with our settings under user_defined.",
    ),
    click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Format of the result on stdout.",
    ),
    click.option("-v", "--verbose", count=True, help="Show more on stderr; -vv shows all."),
    click.option("-q", "--quiet", is_flag=True, help="Show no progress on stderr, only errors and warnings."),
    click.option("--no-color", is_flag=True, help="Use no colour, as with NO_COLOR in the environment."),
)
"""For every verb."""
WORKERS: tuple[Option, ...] = (
    click.option(
        "--workers", type=click.IntRange(1, 1000), default=None, metavar="N", help="Work on N hosts at the same time."
    ),
)
"""For verbs that connect to the hosts of a run."""
FLEET: tuple[Option, ...] = (
    click.option(
        "-l",
        "--limit",
        default=None,
        metavar="PATTERN",
        help="Select hosts: names, globs, @group, !exclude, separated by commas; all is every host.",
    ),
    *WORKERS,
)
"""For verbs that choose hosts."""
WAVES: tuple[Option, ...] = (
    click.option(
        "--serial",
        default="",
        metavar="1,10%,100%",
        help="Sizes of the batches of hosts; the last one repeats.",
    ),
    click.option("-D", "--diff", is_flag=True, help="Show every step of every host in full."),
)
"""For verbs that plan."""
REHEARSE: tuple[Option, ...] = (
    click.option(
        "--rehearse", is_flag=True, help="First try the packages on a throw-away copy-on-write layer of each host."
    ),
)
"""For verbs that plan a change of packages, or execute it."""
ASSENT: tuple[Option, ...] = (
    click.option(
        "--accept-no-way-back",
        "accept",
        multiple=True,
        metavar="HOST",
        help="Accept a point of no return on HOST (repeatable).",
    ),
    click.option("-y", "--yes", is_flag=True, help="Answer yes to every question."),
)
"""For verbs that continue a run."""
CONSENT: tuple[Option, ...] = (
    *ASSENT,
    click.option("--comment", default="", metavar="TEXT", help="Store TEXT with the run."),
)
"""For verbs that open a run."""
STOPPING: tuple[Option, ...] = (
    click.option(
        "--max-fail",
        type=_SizeType(),
        default="1",
        show_default=True,
        help="Stop when so many hosts have failed; unreachable hosts count.",
    ),
    click.option(
        "--on-failure",
        type=click.Choice(["halt", "unwind"]),
        default="halt",
        show_default=True,
        help="After a failure: halt and leave the run open, or undo it.",
    ),
    click.option("--stop-after", type=click.IntRange(1), default=None, metavar="N", help="Stop after N waves."),
)
"""For verbs that execute a run forward."""

_NAMES = frozenset(field.name for field in fields(Flags))


def flags(*options: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for verbs. It adds `options`, and passes their values as one `Flags`, the verb's first argument."""

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(verb)
        def call(**given: Any) -> Any:
            common = {name: given.pop(name) for name in _NAMES.intersection(given)}
            refuse_blank(common.get("limit"))
            chosen = Flags(**{name: value for name, value in common.items() if value is not None})
            if chosen.quiet and chosen.verbose:
                raise click.UsageError("--quiet and --verbose contradict each other")
            if chosen.no_color or not colourful():
                click.get_current_context().color = False
            return verb(chosen, **given)

        offered: Callable[..., Any] = call
        for option in reversed(options):
            offered = option(offered)
        return offered

    return decorate


def refuse_blank(limit: str | None) -> None:
    """Raises `InvalidInput` for a blank limit: an empty shell variable must not select the whole fleet."""
    if limit is not None and not limit.strip():
        raise InvalidInput(f"the limit {limit!r} names nothing", hint="for every host, use --limit all or no --limit")


def make_defaults(ctx: click.Context) -> None:
    """Afterwards the flags given before the verb are defaults of the verb."""
    given = {
        name: value
        for name, value in ctx.params.items()
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    ctx.default_map = _for_all(ctx.command, given)


def _for_all(command: click.Command, given: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(command, click.Group):
        return given
    return given | {name: _for_all(verb, given) for name, verb in command.commands.items()}
