"""Where the documentation types our commands: every verb and every flag of it must be there."""

import re
import shlex
from collections.abc import Iterator, Mapping

import click

from tests.house.known import PROGRAMS, options, verbs
from tests.house.pages import Line, Pages

FOREIGN = frozenset(("--check", "--repo", "--security"))
"""Flags of other programs that stand alone in backticks: of shopapp-migrate, and of dnf."""
_PARTS = re.compile(r" && | \|\|? |; | > | < |(?:^|\s)#")
_FLAG = re.compile(r"--[a-z][a-z-]*")
_HELP = frozenset(("-h", "--help"))


def wrong_invocations(pages: Pages) -> Iterator[str]:
    """What is typed of our programs and is not theirs, or is no flag of any verb."""
    every = {name for one in (*verbs().values(), *PROGRAMS.values()) for name in options(one)} | _HELP
    for page in pages.values():
        for line in page.lines:
            for code in line.codes:
                for part in _PARTS.split(code.removeprefix("$ ")):
                    yield from (line.wrong(what) for what in _judged(part))
                yield from _alone(line, code, every)


def unused_exemptions(pages: Pages) -> Iterator[str]:
    """Exemptions that nothing needs any more."""
    there = {code.split()[0] for page in pages.values() for line in page.lines for code in line.codes if code.strip()}
    return (f"tests/house/invocations.py: {flag} is in no page: remove it from FOREIGN" for flag in FOREIGN - there)


def _alone(line: Line, code: str, every: set[str]) -> Iterator[str]:
    """A flag in backticks, without a program before it, is one of ours."""
    if line.verbatim or not (match := _FLAG.match(code)):
        return
    if match[0] not in every | FOREIGN:
        yield line.wrong(f"no verb has {match[0]}: correct it, or name the program that it belongs to before it")


def _judged(text: str) -> Iterator[str]:
    """What is wrong with one command; nothing where it is not one of ours."""
    words = _words(text)
    if not words or words[0] not in PROGRAMS:
        return
    name = words[0]
    command: click.Command = PROGRAMS[name]
    left = iter(words[1:])
    for word in left:
        if word.startswith("-") and len(word) > 1:
            flag, _, value = word.partition("=")
            found = _option(flag, options(command))
            if not found and flag not in _HELP:
                yield f"{name} has no {flag}: correct the flag or the verb"
            elif found and not found.is_flag and not found.count and not value:
                next(left, None)
        elif isinstance(command, click.Group):
            if not (verb := command.commands.get(word)):
                if word.islower() and word.isalpha():
                    yield f"{name} has no verb {word}: correct it"
                return
            name, command = f"{name} {word}", verb
        elif command.context_settings.get("ignore_unknown_options"):
            return  # what follows is for somebody else


def _option(flag: str, known: Mapping[str, click.Option]) -> click.Option | None:
    """The option; `-vv` is `-v` twice."""
    return known.get(flag) or (known.get(flag[:2]) if re.fullmatch(r"-([a-z])\1+", flag) else None)


def _words(text: str) -> list[str]:
    """The words of a command, without the signs of a synopsis."""
    plain = re.sub(r"[\[\]…]|\.\.\.", " ", text)
    try:
        return shlex.split(plain)
    except ValueError:
        return plain.split()
