"""Several commands' output in one stream, told apart without guessing: how one round trip carries many answers.

A fixed script ends each part with a line that begins with a boundary, which its caller made up for this one call. So no part can
contain the boundary, and a stream that was cut off, or to which something else was added, is seen.
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
"""The head of such a script; its first argument is the boundary. `mark NAME STATUS` ends a part, `mark end 0` all of them."""

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
"""For a script that begins with `SHELL`: warnings stay out of what is parsed. `heard COMMAND…` runs a command whose standard output
is the part that `told NAME` ends. Its `$status` and its standard error, `$errors`, come along as `Section.errors`."""


class Refusal(InvalidInput):
    """A part of an answer that does not read. `section` is its name, `line` the line within what its command printed, 0 where the
    command failed."""

    def __init__(self, message: str, section: str, reason: str, line: int) -> None:
        super().__init__(message)
        self.section = section
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Section:
    """What one command wrote, with its exit status. `line` is the number of its first line in the whole stream. `errors` is what it
    wrote to standard error, where the script kept that apart."""

    name: str
    status: int
    line: int
    text: str
    errors: str = ""

    @property
    def said(self) -> str:
        """All that it wrote, for people."""
        return f"{self.text}\n{self.errors}".strip("\n")

    def fail(self, reason: str, offset: int = 0) -> Refusal:
        """The refusal of the line `offset` lines below the section's first."""
        return Refusal(f"line {self.line + offset}: {self.name}: {reason}", self.name, reason, offset + 1)

    def succeeded(self) -> "Section":
        """This section. Raises `InvalidInput` where its command did not end with status 0."""
        if self.status != 0:
            last = [line.strip() for line in self.errors.splitlines() if line.strip()][-1:]
            reason = ": ".join([f"the command ended with status {self.status}", *last])
            raise Refusal(f"line {self.line}: {self.name}: {reason}", self.name, reason, 0)
        return self

    def lines(self) -> Iterator[tuple[int, str]]:
        """Each line that is not empty, with its offset."""
        return ((offset, line) for offset, line in enumerate(self.text.split("\n")) if line)


def new_boundary() -> str:
    """A word that no host can have known before."""
    return f"==={secrets.token_hex(16)}"


def split(text: str, boundary: str) -> dict[str, Section]:
    """The sections of `text` by name, in order. Raises `InvalidInput` with line and reason when it is not whole."""
    sections: dict[str, Section] = {}
    line = 1
    *parts, rest = text.split(f"\n{boundary} ")
    # Each part but the first begins with the rest of the line that ended the one before it.
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
    """`NAME errors` is what the command of NAME wrote to standard error."""
    apart = {f"{name}{_ERRORS}": name for name in sections if f"{name}{_ERRORS}" in sections}
    found = {name: section for name, section in sections.items() if name not in apart}
    return found | {name: replace(sections[name], errors=sections[told].text) for told, name in apart.items()}
