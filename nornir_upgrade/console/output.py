"""Output: a verb's result on stdout, as text or one JSON document; everything else on stderr."""

import sys
from typing import Any

import click

from .options import Flags
from .streams import OutputLost, colourful, put, say


class Screen:
    """The output of a verb, in the form that the flags ask for."""

    def __init__(self, flags: Flags) -> None:
        self.json = flags.json
        self.yes = flags.yes
        self.quiet = flags.quiet
        self.verbose = flags.verbose
        self.colour = colourful() and not flags.no_color

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal whose lines can be replaced."""
        return self.colour and not self.quiet and sys.stderr.isatty()

    def result(self, document: Any, text: str, *, code: int = 0) -> None:
        """Print the verb's result: `document` (of types that the codec knows) as JSON, or `text`. Called once a verb.

        Raises `OutputLost` if it cannot be written. If the verb's exit `code` is not 0, this is only a warning.
        """
        if self.json:
            from nornir_upgrade.core import codec

            text = codec.dumps(document, indent=2)
        try:
            put(text, colour=None if self.colour and not self.json else False)
        except OutputLost as lost:
            if not code:
                raise
            self.warn(lost.message)

    def note(self, text: str) -> None:
        """Print `text` on stderr, unless `--quiet`."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print `text` on stderr, also with `--quiet`."""
        say(text, colour=None if self.colour else False)

    def require_consent(self) -> None:
        """Raises `UsageError` if nobody can answer a question. Called before the work, not after it."""
        if not self.yes and not sys.stdin.isatty():
            raise click.UsageError("standard input is no terminal, so that nobody can be asked: use --yes to go ahead")

    def confirm(self, question: str) -> None:
        """Returns if the answer is yes. Raises `Abort` otherwise."""
        if not self.yes and not click.confirm(question, default=False, err=True):
            self.warn("Not confirmed: nothing was changed.")
            raise click.Abort
