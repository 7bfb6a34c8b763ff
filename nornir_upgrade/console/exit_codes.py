"""Exit codes: the command line as an application, with the one switch from exceptions to exit codes."""

import gc
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from nornir_upgrade.core.errors import Failure

from . import signals
from .streams import close_stdout, colourful, output_lost, replace_closed, say
from .text import printable

CLOSED_PIPE = 141  # the exit code that a shell shows for a program ended by SIGPIPE: 128 + 13
INTERRUPTED = 130
_CIRCLES = 100_000
"""New objects between two searches for reference cycles. Python's default is 700. The facts of a fleet are far more, without cycles."""
EXIT_CODES = """\b
Exit codes:
  0    the goal holds on every host, or there was nothing to do
  1    a bug (traceback)
  2    wrong usage
  3    stopped; the run is open
  4    failed and unwound: the fleet is where it began
  5    undoing itself failed on a host
  10   input invalid
  11   journal locked by another controller
  12   an unfinished run is in the way
  13   drift
  20   no solution
  21   bytes to be had neither from a repository nor from escrow
  22   digest mismatch
  23   point of no return without consent
  24   preflight found something blocking
  30   a host could not be reached before anything was changed
  100  --detailed-exitcode: there is something to do
  130  interrupted
  143  terminated"""


class Verbs(click.Group):
    """A group of verbs, listed in the order of use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class App(Verbs):
    """A command line. It always ends with one exit code (the table above); a failure is reported in one message.

    Verbs return their exit code, None for 0. Common flags are accepted before the verb as well as after it.
    """

    def main(self, args: Any = None, prog_name: str | None = None, *rest: Any, **more: Any) -> NoReturn:
        replace_closed()
        with signals.exit_on_signals():
            sys.exit(self._exit_code(args, prog_name, **more))

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _output_errors():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _output_errors():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result

    def _exit_code(self, args: Any, prog_name: str | None, **more: Any) -> int:
        more["standalone_mode"] = False
        name = prog_name or self.name or "nornir-upgrade"
        try:
            return int(super().main(args, name, **more) or 0)
        except click.ClickException as error:
            with suppress(OSError):
                error.show()
            return 2
        except (click.Abort, KeyboardInterrupt):
            say(f"{name}: interrupted")
            return INTERRUPTED
        except Failure as failure:
            report_failure(name, failure)
            return failure.exit_code
        except Exception:
            say(traceback.format_exc(), colour=False)
            say(f"{name}: this is a bug; the journal holds all steps until here")
            return 1


@contextmanager
def _output_errors() -> Iterator[None]:
    """A write of click itself (help, version) that fails is reported as a failed write of `streams`."""
    try:
        yield
    except BrokenPipeError:  # `… | head` has ended
        close_stdout()
        raise click.exceptions.Exit(CLOSED_PIPE) from None
    except OSError as error:
        if any(frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(error.__traceback__)):
            raise output_lost(error) from None
        raise


def report_failure(name: str, failure: Failure) -> None:
    """Afterwards one message is on stderr: the error with its place, and the hint."""
    label = click.style("error:", fg="red", bold=True)
    colour = None if colourful() else False
    say(f"{name}: {label} {printable(failure.message)}", colour=colour)
    if failure.hint:
        say(f"  {printable(failure.hint)}", colour=colour)


def run_app(app: App) -> NoReturn:
    """Run the console script. After an interrupt, threads that still talk to a host do not delay the end of the program."""
    gc.set_threshold(_CIRCLES)
    try:
        app.main()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
        if any(running_threads()) and code not in (INTERRUPTED, 143):
            raise
        exit_now(code)


def running_threads() -> Iterable[threading.Thread]:
    """The threads that Python would wait for at its end."""
    threads = threading.enumerate()
    return (thread for thread in threads if not thread.daemon and thread is not threading.main_thread())


def exit_now(code: int) -> NoReturn:
    """Flush stdout and stderr, and end the process with all its threads.

    Python would first tear down its modules and the connections to the fleet, one by one.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
