"""Sections: the output of several commands in one stream, so that one round trip carries many answers.

A fixed script ends each section with a line that begins with a boundary, a random word of this one call. No output can contain the
boundary. So a stream that is cut off, or to which something was added, is detected.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nornir_upgrade.core.errors import InvalidInput

_ERRORS = " errors"

SHELL = """\
boundary=$1; shift
mark() { printf '\\n%s %s %s\\n' "$boundary" "$1" "$2"; }
"""
"""The head of such a script; its first argument is the boundary. `mark NAME STATUS` ends a section, `mark end 0` the stream."""

# `offered NAME…` is the family's own: it prints those of the names that a repository has, a line each.
RENAMED = """\
renamed() {
  names=
  case $2 in
  *'>'*) names=$(offered $(printf '%s\\n' $2 | sed -n 's/.*>//p')) ;;
  esac
  for word in $2; do
    old=${word%>*} new=${word#*>}
    if [ "$old" = "$new" ]; then
      printf '%s ' "$word"
    elif printf '%s\\n' "$names" | grep -qxF -e "$new"; then
      [ "$1" = new ] || printf '%s ' "$old"
      printf '%s ' "$new"
    else
      printf '%s ' "$old"
    fi
  done
}
"""
"""`renamed both WORDS` prints them, each `old>new` as two where a repository has the new name, and as the old one elsewhere; `renamed
new WORDS` as the new one alone there. An old name may still be offered, as a package that only depends on the new one."""


APART = """\
heard() {
  exec 3>&1
  errors=$("$@" 2>&1 >&3 3>&-); status=$?
  exec 3>&-
}
told() {
  mark "$1" "$status"
  printf '%s\\n' "$errors"; mark "$1 errors" 0
}
"""
"""For a script that begins with `SHELL`: separates warnings from output. `heard COMMAND…` runs a command; its standard output is the
section that `told NAME` ends. `$status` is its exit status; `$errors`, its standard error, becomes `Section.errors`."""


class Refusal(InvalidInput):
    """A section that cannot be parsed. `section`: its name. `line`: the line within the command's output, 0 if the command failed."""

    def __init__(self, message: str, section: str, reason: str, line: int) -> None:
        super().__init__(message)
        self.section = section
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Section:
    """The output and exit status of one command. `line`: the number of its first line in the stream.

    `errors`: its standard error, if the script separates it.
    """

    name: str
    status: int
    line: int
    text: str
    errors: str = ""

    @property
    def said(self) -> str:
        """Its output and errors, for people."""
        return f"{self.text}\n{self.errors}".strip("\n")

    def fail(self, reason: str, offset: int = 0) -> Refusal:
        """The error for the line `offset` lines below the section's first line."""
        return Refusal(f"line {self.line + offset}: {self.name}: {reason}", self.name, reason, offset + 1)

    def succeeded(self) -> "Section":
        """Returns this section. Raises `InvalidInput` if its command did not end with status 0."""
        if self.status != 0:
            last = [line.strip() for line in self.errors.splitlines() if line.strip()][-1:]
            reason = ": ".join([f"the command ended with status {self.status}", *last])
            raise Refusal(f"line {self.line}: {self.name}: {reason}", self.name, reason, 0)
        return self

    def lines(self) -> Iterator[tuple[int, str]]:
        """Each line that is not empty, after its offset."""
        return ((offset, line) for offset, line in enumerate(self.text.split("\n")) if line)


def new_boundary() -> str:
    """A random word: no host can have printed it before."""
    return f"==={secrets.token_hex(16)}"


def split(text: str, boundary: str) -> dict[str, Section]:
    """The sections of `text` by name, in order. Raises `InvalidInput` with line and reason when it is not whole."""
    sections: dict[str, Section] = {}
    line = 1
    *parts, rest = text.split(f"\n{boundary} ")
    # Each part except the first begins with the end of the line that closed the part before it.
    heads = [part.partition("\n") for part in (*parts[1:], rest)]
    bodies = [*parts[:1], *(body for _, _, body in heads)]
    for body, (head, _, _) in zip(bodies, heads, strict=False):
        name, _, status = head.rpartition(" ")
        if not status.isdecimal() or not name or name in sections:
            raise InvalidInput(f"line {line + body.count(chr(10)) + 1}: no end of a section: {head!r}")
        sections[name] = Section(name, int(status), line, body)
        line += body.count("\n") + 2
    if "end" not in sections or bodies[-1]:
        raise InvalidInput(f"line {text.count(chr(10)) + 1}: the answer is cut off, or is none of ours")
    return _with_errors(sections)


def _with_errors(sections: dict[str, Section]) -> dict[str, Section]:
    """Joins the section `NAME errors` (the standard error of a command) to the section NAME."""
    apart = {f"{name}{_ERRORS}": name for name in sections if f"{name}{_ERRORS}" in sections}
    outputs = {name: section for name, section in sections.items() if name not in apart}
    return outputs | {name: replace(sections[name], errors=sections[errors].text) for errors, name in apart.items()}
