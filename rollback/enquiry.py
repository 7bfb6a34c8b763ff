"""The question to one host, what it could have: which indexes its repositories have with the old ones back in place, by digest,
and what its dpkg says of the packages that are there. Reads only; one round trip. The parser is strict and pure.

An index is named by the SHA-256 of its file as it lies on the host, mostly packed. A small one comes along at once; of others the fleet
needs each but once, so that they are fetched by name (`fetch`).
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nornir_upgrade.core.errors import DigestMismatch, InvalidInput
from nornir_upgrade.core.host import Host
from nornir_upgrade.core.sections import SHELL, Section, new_boundary, split
from nornir_upgrade.core.store import digest_of

from .catalog import Control, control_of
from .offers import path_labels
from .universe import FIELDS

Sources = Mapping[str, str | None]
"""Source files that are not to count as they are on the host: path -> text, `None` for one that is not there."""

_TIMEOUT = 900.0  # seconds; fetching the indexes of a slow archive
_SMALL = 1 << 16  # bytes of an index that comes along: less than another round trip costs
_KEY = ("Package", "Architecture", "Version")
_STATUS_FIELDS = (*_KEY, "Status", *FIELDS)
_STATUS_FORMAT = (
    "".join(f"{name}: ${{{'db:Status-Status' if name == 'Status' else name}}}\\n" for name in _STATUS_FIELDS) + "\\n"
)
_GONE = ("not-installed", "config-files")
_DIGEST = re.compile(r"[0-9a-f]{64}")  # it becomes the name of a file
# What apt says of an index (apt-get(8), indextargets): where it lies, then what the repository goes by.
_ABOUT = ("DESCRIPTION", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN", "LABEL", "SUITE", "CODENAME")
_TARGET_FORMAT = "\t".join(f"$({name})" for name in ("FILENAME", *_ABOUT))

# stdin: `have DIGEST`, `want DIGEST`, `present PATH TEXT`, `absent PATH` a line, the last two in base64. The host's own apt fetches
# and verifies the indexes of the source files that differ from the host's, into a temporary directory; the indexes of the
# others are those that it has. Hooks are cleared, for they may write (apt.conf(5), #clear). Where a digest is wanted, what is
# printed are these files alone, each after its digest and size.
_SCRIPT = (
    "set -euo pipefail\n"
    + SHELL
    + r"""
eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d lists Dir::State::lists/d)"
t=$(mktemp -d)
trap 'rm -rf -- "$t"' EXIT
chmod 0711 "$t"
mkdir -p "$t/lists/partial"
mkdir -m 0700 "$t/parts" "$t/new"
: > "$t/have"
: > "$t/want"
[ ! -f "$main" ] || cp -- "$main" "$t/main.list"
: >> "$t/main.list"
find "$parts" -maxdepth 1 -type f -exec cp -t "$t/parts" -- {} +
while read -r kind one two; do
    case $kind in have | want)
        printf '%s\n' "$one" >> "$t/$kind"
        continue ;;
    esac
    path=$(printf %s "$one" | base64 -d)
    case $path in
        "$main") copy=$t/main.list ;;
        "${parts%/}"/*) copy=$t/parts/${path##*/} ;;
        *) continue ;;
    esac
    if [ "$kind" = absent ]; then
        : > "$copy"
    else
        printf %s "$two" | base64 -d > "$copy"
        cmp -s -- "$copy" "$path" || cp -t "$t/new" -- "$copy"
    fi
done
cat > "$t/quiet" <<'END'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
apt=(-qq -c "$t/quiet" -o "Dir::State::lists=$t/lists/" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Update::Error-Mode=any)
if [ -n "$(ls -A "$t/new")" ]; then
    apt-get "${apt[@]}" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$t/new" update >&2
fi
find "$lists" -maxdepth 1 -xtype f ! -name lock -exec cp -s -n -t "$t/lists" -- {} +
apt-get "${apt[@]}" -o "Dir::Etc::sourcelist=$t/main.list" -o "Dir::Etc::sourceparts=$t/parts" \
    indextargets --format "$1" 'Identifier: Packages' > "$t/indexes"
number=0
while IFS= read -r target; do
    file=${target%%$'\t'*}
    digest=$(sha256sum < "$file")
    digest=${digest%% *}
    size=$(stat -L -c %s -- "$file")
    if [ -s "$t/want" ]; then
        if grep -qxF -e "$digest" "$t/want"; then
            grep -vxF -e "$digest" "$t/want" > "$t/left" || :
            printf '%s %s\n' "$digest" "$size"
            cat -- "$file"
            mv -- "$t/left" "$t/want"
            [ -s "$t/want" ] || exit 0
        fi
        continue
    fi
    printf '%s\t%s\n' "${target#*$'\t'}" "$digest"
    if [ "$size" -le "$2" ] && ! grep -qxF -e "$digest" "$t/have"; then
        base64 -w 0 < "$file"
    fi
    mark "index $number" 0
    number=$((number + 1))
done < "$t/indexes"
if [ -s "$t/want" ]; then
    echo 'an index is not there any more' >&2
    exit 1
fi
dpkg-query --show --showformat "$3"
mark present 0
mark end 0
"""
)


@dataclass(frozen=True, slots=True)
class Index:
    """A repository's index on a host. `origin` is how apt names it, `labels` what the repository goes by."""

    digest: str
    origin: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host could have: its indexes, in apt's order. `files` are the small ones, by digest; `present` as in a `Catalog`."""

    indexes: tuple[Index, ...]
    files: Mapping[str, bytes]
    present: Mapping[tuple[str, str, str], Control]


def ask(host: Host, sources: Sources, have: Iterable[str] = ()) -> Answer:
    """What `host` would have if its source files were as `sources` says; of the indexes that we `have` only the digest.

    Nothing of the host changes. Raises `CommandFailed` where an index cannot be fetched or verified.
    """
    boundary = new_boundary()
    lines = [*(f"have {digest}" for digest in sorted(set(have))), *_source_lines(sources)]
    text = host.run(_argv(boundary), stdin=_stdin(lines), timeout=_TIMEOUT).text
    try:
        return parse(text, boundary)
    except InvalidInput as refusal:
        raise InvalidInput(f"{host.name}: what can be had: {refusal.message}") from None


def fetch(host: Host, sources: Sources, digests: Collection[str]) -> dict[str, bytes]:
    """The index files of these digests, as they lie on `host`, which named them before. Raises `DigestMismatch`."""
    lines = [*(f"want {digest}" for digest in sorted(digests)), *_source_lines(sources)]
    data = host.run(_argv("-"), stdin=_stdin(lines), timeout=_TIMEOUT).stdout
    found = {}
    while data:
        head, _, data = data.partition(b"\n")
        digest, _, size = head.decode("ascii", "replace").partition(" ")
        if not size.isascii() or not size.isdecimal() or int(size) > len(data):
            raise InvalidInput(f"{host.name}: the answer is cut off, or is no index")
        found[digest], data = data[: int(size)], data[int(size) :]
    for digest in digests:
        if digest_of(found.get(digest, b"")) != digest:
            raise DigestMismatch(f"{host.name}: an index changed while it was fetched", hint="do it again")
    return {digest: found[digest] for digest in digests}


def _argv(boundary: str) -> tuple[str, ...]:
    return ("bash", "-c", _SCRIPT, "bash", boundary, _TARGET_FORMAT, str(_SMALL), _STATUS_FORMAT)


def _source_lines(sources: Sources) -> Iterator[str]:
    for path, text in sorted(sources.items()):
        yield f"absent {_base64(path)}" if text is None else f"present {_base64(path)} {_base64(text)}"


def _stdin(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def parse(text: str, boundary: str) -> Answer:
    """What the host printed; the indexes in its order. Raises `InvalidInput` with the line where it is not whole, or not ours."""
    sections = split(text, boundary)
    if "present" not in sections:
        raise InvalidInput("the answer does not say what is present")
    files: dict[str, bytes] = {}
    indexes = tuple(_index(section, files) for name, section in sections.items() if name.startswith("index "))
    return Answer(indexes, files, _present(sections["present"]))


# ---------------------------------------------------------------------- an index


def _index(section: Section, files: dict[str, bytes]) -> Index:
    """The index of a section; its file, where it came along, is put into `files`."""
    head, _, packed = section.text.partition("\n")
    about = [_known(value) for value in head.split("\t")]
    if len(about) != len(_ABOUT) + 1 or not _DIGEST.fullmatch(digest := about.pop()):
        raise section.fail(f"no index of a repository: {head!r}")
    if packed:
        try:
            files[digest] = b64decode(packed, validate=True)
        except binascii.Error:
            raise section.fail("the index is cut off", 1) from None
        if digest_of(files[digest]) != digest:
            raise section.fail("the index is not the one that it is said to be", 1)
    return Index(digest, about[0], _labels(*about[1:]))


def _known(value: str) -> str:
    """apt leaves a name for which it has no value as it is."""
    return "" if value.startswith("$(") else value


def _labels(address: str, release: str, component: str, *more: str) -> tuple[str, ...]:
    """What a repository goes by: the parts of its path, suite and component in a row, then what its Release file says."""
    return (*path_labels(address, f"{release}/{component}"), *filter(None, more))


# ---------------------------------------------------------------------- what is on the host


def _present(section: Section) -> dict[tuple[str, str, str], Control]:
    found = {}
    for offset, stanza in _stanzas(section):
        try:
            key, state, control = _status(stanza)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
        if state not in _GONE:
            found[key] = control
    return found


@lru_cache(maxsize=1 << 16)
def _status(stanza: str) -> tuple[tuple[str, str, str], str, Control]:
    fields = _fields(stanza)
    return (fields["Package"], fields["Architecture"], fields["Version"]), fields["Status"], control_of(fields)


# ---------------------------------------------------------------------- stanzas


def _stanzas(section: Section) -> Iterator[tuple[int, str]]:
    """Each stanza with its offset."""
    lines = section.text.split("\n")
    begun = 0
    for offset in range(len(lines)):
        if not lines[offset]:
            if offset > begun:
                yield begun, "\n".join(lines[begun:offset])
            begun = offset + 1
    if begun < len(lines):
        raise section.fail("the stanza has no end", begun)


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza, lines that go on joined by a blank."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if line[0] in " \t" and lines is not None:
            lines.append(line.strip())
        elif colon and name in _STATUS_FIELDS and name not in found:
            lines = found[name] = [value.strip()]
        else:
            raise InvalidInput(f"no field that was asked for: {line[:80]!r}")
    if lacking := [key for key in (*_KEY, "Status") if key not in found]:
        raise InvalidInput(f"a package without {' and '.join(lacking)}")
    return {name: " ".join(filter(None, lines)) for name, lines in found.items()}


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()
