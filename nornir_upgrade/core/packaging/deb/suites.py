"""Source files of apt (sources.list(5)): where they are, how their indexes are fetched, and how their suites are replaced.

Suites are replaced in the one-line format and in deb822. Every other byte of a file stays: comments, options, keys, disabled
entries.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from nornir_upgrade.core.packaging.family import Renames, Rewritten, Update
from nornir_upgrade.core.transport.host import Host

_ENTRY = re.compile(
    r"(?P<head>[ \t]*deb(?:-src)?[ \t]+(?:\[[^\]\n]*\][ \t]*)?)"
    r'(?P<uri>(?:\[[^\]\n]*\]|"[^"\n]*"|[^\s#"\[])+)(?P<gap>[ \t]+)(?P<suite>[^\s#]+)(?P<tail>.*\n?)'
)
_FIELD = re.compile(r"(?P<name>[A-Za-z0-9-]+):(?P<value>.*)", re.DOTALL)
_OFF = ("no", "false", "without", "off", "disable", "0")  # apt's StringToBool


# apt-get(8), indextargets: an index of which nobody knows whether it still holds must not be taken for one that does.
FORGET = """\
apt-get -o Dir::Etc::sourcelist="$1" -o Dir::Etc::sourceparts=- indextargets --format '$(FILENAME)' 'Identifier: Packages' |
  xargs -r -d '\\n' rm -f --
"""


class AptRepositoryFiles:
    """/etc/apt/sources.list, and the files in /etc/apt/sources.list.d."""

    path = r"/etc/apt/(?:sources\.list|sources\.list\.d/[A-Za-z0-9_.-]+\.(?:list|sources))"  # sources.list(5)
    what = "a file that apt reads: /etc/apt/sources.list, or one in /etc/apt/sources.list.d"
    place = r"/etc/apt/.*"
    place_words = "no path below /etc/apt/"
    secret = "apt_auth.conf(5)"
    directory = "/etc/apt/sources.list.d"
    main = "/etc/apt/sources.list"
    endings: tuple[str, ...] = (".list", ".sources")
    in_place = True
    refusal = ""
    rewritable = r"/etc/apt/sources\.list[A-Za-z0-9_./*?-]*"
    rewritable_what = "a path of apt's source files, or a glob of them"
    pins = "/etc/apt/preferences"

    def update(self, path: str, data: bytes) -> Update | None:
        """apt-get, which reads the sources file at `path` and no other."""
        argv = (
            *("apt-get", "-q", "-o", f"Dir::Etc::sourcelist={path}", "-o", "Dir::Etc::sourceparts=-"),
            *("-o", "APT::Get::List-Cleanup=false", "-o", "APT::Update::Error-Mode=any", "update"),
        )
        return Update(argv, "apt-get update")

    def forget(self, host: Host, path: str) -> None:
        host.run(("sh", "-c", FORGET, "sh", path))

    def rewrite(self, path: str, text: str, renames: Renames) -> Rewritten | None:
        return rewrite(path, text, renames)


def rewrite(path: str, text: str, renames: Renames) -> Rewritten | None:
    """The file at `path` with its suites renamed; None where it names none of them."""
    pieces = _stanzas(text, renames) if path.endswith(".sources") else _lines(text, renames)
    rewritten = tuple(pieces)
    added = "".join(piece.added for piece in rewritten)
    return Rewritten("".join(piece.text for piece in rewritten), added) if added else None


def renamed(suite: str, renames: Renames) -> str:
    """The new name of a suite; its own where it keeps it."""
    for old, new in renames:
        head, star, tail = old.partition("*")
        if suite == old:
            return new
        if star and len(suite) >= len(head + tail) and suite.startswith(head) and suite.endswith(tail):
            return new.replace("*", suite[len(head) : len(suite) - len(tail)])
    return suite


def _lines(text: str, renames: Renames) -> Iterator[Rewritten]:
    """The one-line format. A medium (`cdrom:`) holds the release that it holds."""
    for line in text.splitlines(keepends=True):
        entry = _ENTRY.fullmatch(line)
        suite = renamed(entry["suite"], renames) if entry and not entry["uri"].startswith("cdrom:") else ""
        if not entry or suite in ("", entry["suite"]):
            yield Rewritten(line, "")
        else:
            new = f"{entry['head']}{entry['uri']}{entry['gap']}{suite}{entry['tail']}"
            yield Rewritten(new, new.rstrip("\n") + "\n")


def _stanzas(text: str, renames: Renames) -> Iterator[Rewritten]:
    """The format of deb822: paragraphs, parted by blank lines."""
    paragraph: list[str] = []
    for line in [*text.splitlines(keepends=True), ""]:
        if line.strip():
            paragraph.append(line)
            continue
        yield _stanza(paragraph, renames)
        yield Rewritten(line, "")
        paragraph = []


def _stanza(lines: Sequence[str], renames: Renames) -> Rewritten:
    """One paragraph; a disabled one stays as it is."""
    fields = tuple(_fields(lines))
    values = {name.lower(): _words(lines[start:end]) for name, start, end in fields}
    old = values.get("suites", [])
    new = [renamed(line, renames) for line in old]
    if new == old or any(word.lower() in _OFF for word in values.get("enabled", ())):
        return Rewritten("".join(lines), "")
    start, end = next((start, end) for name, start, end in fields if name.lower() == "suites")
    suites = [_renamed_in(line, renames) for line in lines[start:end]]
    changed = [line for line, was in zip(new, old, strict=True) if line != was]
    kept = [line for line in (*lines[:start], *lines[end:]) if not line.startswith("#")]
    alone = "".join((f"Suites: {' '.join(changed)}\n", *kept)).rstrip("\n") + "\n\n"
    return Rewritten("".join((*lines[:start], *suites, *lines[end:])), alone)


def _fields(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Name, first and last line of each field, with the lines that continue it."""
    starts = [(number, match["name"]) for number, line in enumerate(lines) if (match := _FIELD.match(line))]
    ends = (*(number for number, _ in starts[1:]), len(lines))
    yield from ((name, start, end) for (start, name), end in zip(starts, ends, strict=False))


def _words(lines: Iterable[str]) -> list[str]:
    """The words of a field's value."""
    first, *rest = lines
    return [word for line in (first.partition(":")[2], *rest) if not line.startswith("#") for word in line.split()]


def _renamed_in(line: str, renames: Renames) -> str:
    """A line of the field `Suites` with its suites renamed."""
    if line.startswith("#"):
        return line
    name, colon, value = line.partition(":") if _FIELD.match(line) else ("", "", line)
    return f"{name}{colon}" + re.sub(r"\S+", lambda match: renamed(match[0], renames), value)
