"""The question to one host, what it could have: its repositories' indexes with the old ones back in place. Reads only.

One round trip. What the host prints of its indexes and of its packages are stanzas (deb822(5)) of the fields that count, so that
whatever a field holds arrives as it stands; the parser is strict and pure.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.host import Host
from nornir_upgrade.core.sections import SHELL, Section, new_boundary, split

from .catalog import Candidate, Catalog, Control, catalog, control_of
from .offers import path_labels
from .universe import FIELDS

_TIMEOUT = 900.0  # seconds; fetching the indexes of a slow archive
_KEY = ("Package", "Architecture", "Version")
_INDEX_FIELDS = (*_KEY, "Size", "SHA256", *FIELDS)
_STATUS_FIELDS = (*_KEY, "Status", *FIELDS)
_STATUS_FORMAT = (
    "".join(f"{name}: ${{{'db:Status-Status' if name == 'Status' else name}}}\\n" for name in _STATUS_FIELDS) + "\\n"
)
_GONE = ("not-installed", "config-files")
# What apt says of an index (apt-get(8), indextargets): where it lies, then what the repository goes by.
_ABOUT = ("DESCRIPTION", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN", "LABEL", "SUITE", "CODENAME")
_TARGET_FORMAT = "\t".join(f"$({name})" for name in ("FILENAME", *_ABOUT))

# stdin: `name NAME`, `present PATH TEXT`, `absent PATH` a line, the last two in base64. The host's own apt fetches and
# verifies the indexes of the source files that differ from the host's, into a temporary directory; the indexes of the others
# are those that it has. Hooks are cleared, for they may write (apt.conf(5), #clear).
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
: > "$t/names"
[ ! -f "$main" ] || cp -- "$main" "$t/main.list"
: >> "$t/main.list"
find "$parts" -maxdepth 1 -type f -exec cp -t "$t/parts" -- {} +
while read -r kind one two; do
    if [ "$kind" = name ]; then
        printf '%s\n' "$one" >> "$t/names"
        continue
    fi
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
    printf '%s\n' "${target#*$'\t'}"
    /usr/lib/apt/apt-helper cat-file "$file" | names=$t/names fields=$2 awk '
        BEGIN {
            while ((getline name < ENVIRON["names"]) > 0) wanted["Package: " name]
            count = split(ENVIRON["fields"], list, " ")
            for (i = 1; i <= count; i++) kept[list[i]]
            RS = ""; FS = "\n"
        }
        {
            for (i = 1; i <= NF && !($i in wanted); i++);
            if (i > NF) next
            on = 0
            for (i = 1; i <= NF; i++) {
                if ($i !~ /^[ \t]/) on = substr($i, 1, index($i, ":") - 1) in kept
                if (on) print $i
            }
            print ""
        }'
    mark "index $number" 0
    number=$((number + 1))
done < "$t/indexes"
dpkg-query --show --showformat "$3"
mark present 0
mark end 0
"""
)


def offered(host: Host, sources: Mapping[str, str | None], names: Iterable[str]) -> Catalog:
    """What `host` could have of the packages `names` if its source files were as `sources` says: path -> text, `None` is absent.

    Source files that are not named count as they are. Nothing of the host changes. Raises `CommandFailed` where an index
    cannot be fetched or verified.
    """
    lines = [f"name {name}" for name in sorted(set(names))]
    for path, text in sorted(sources.items()):
        lines.append(f"absent {_base64(path)}" if text is None else f"present {_base64(path)} {_base64(text)}")
    boundary = new_boundary()
    argv = ("bash", "-c", _SCRIPT, "bash", boundary, _TARGET_FORMAT, " ".join(_INDEX_FIELDS), _STATUS_FORMAT)
    result = host.run(argv, stdin="".join(f"{line}\n" for line in lines).encode(), timeout=_TIMEOUT)
    try:
        return parse(result.text, boundary)
    except InvalidInput as refusal:
        raise InvalidInput(f"{host.name}: what can be had: {refusal.message}") from None


def parse(text: str, boundary: str) -> Catalog:
    """What the host printed; the indexes in its order. Raises `InvalidInput` with the line where it is not whole, or not ours."""
    sections = split(text, boundary)
    indexes = [section for name, section in sections.items() if name.startswith("index ")]
    if "present" not in sections:
        raise InvalidInput("the answer does not say what is present")
    return catalog((one for index in indexes for one in _candidates(index)), _present(sections["present"]))


# ---------------------------------------------------------------------- an index


def _candidates(section: Section) -> Iterator[Candidate]:
    head, _, _ = section.text.partition("\n")
    about = [_known(value) for value in head.split("\t")]
    if len(about) != len(_ABOUT):
        raise section.fail(f"no index of a repository: {head!r}")
    labels = _labels(*about[1:])
    for offset, stanza in _stanzas(section, 1):
        try:
            yield _candidate(stanza, about[0], labels)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None


def _known(value: str) -> str:
    """apt leaves a name for which it has no value as it is."""
    return "" if value.startswith("$(") else value


def _labels(address: str, release: str, component: str, *more: str) -> tuple[str, ...]:
    """What a repository goes by: the parts of its path, suite and component in a row, then what its Release file says."""
    return (*path_labels(address, f"{release}/{component}"), *filter(None, more))


@lru_cache(maxsize=1 << 16)  # the hosts of a fleet have most stanzas in common
def _candidate(stanza: str, origin: str, labels: tuple[str, ...]) -> Candidate:
    fields = _fields(stanza, _INDEX_FIELDS)
    size = fields.get("Size") or "0"
    if not size.isascii() or not size.isdecimal():
        raise InvalidInput(f"{size!r} is no size of a package")
    name, arch, version = (fields[key] for key in _KEY)
    return Candidate(name, arch, version, origin, fields.get("SHA256", ""), int(size), control_of(fields), (labels,))


# ---------------------------------------------------------------------- what is on the host


def _present(section: Section) -> dict[tuple[str, str, str], Control]:
    found = {}
    for offset, stanza in _stanzas(section, 0):
        try:
            key, state, control = _status(stanza)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
        if state not in _GONE:
            found[key] = control
    return found


@lru_cache(maxsize=1 << 16)
def _status(stanza: str) -> tuple[tuple[str, str, str], str, Control]:
    fields = _fields(stanza, _STATUS_FIELDS, bare=True)
    return (fields["Package"], fields["Architecture"], fields["Version"]), fields["Status"], control_of(fields)


# ---------------------------------------------------------------------- stanzas


def _stanzas(section: Section, first: int) -> Iterator[tuple[int, str]]:
    """Each stanza with its offset, from the line `first` on."""
    lines = section.text.split("\n")
    begun = first
    for offset in range(first, len(lines)):
        if not lines[offset]:
            if offset > begun:
                yield begun, "\n".join(lines[begun:offset])
            begun = offset + 1
    if begun < len(lines):
        raise section.fail("the stanza has no end", begun)


def _fields(stanza: str, known: tuple[str, ...], *, bare: bool = False) -> dict[str, str]:
    """The fields of a stanza, lines that go on joined by a blank. `bare`: it may be of a package that has no version (yet)."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if line[0] in " \t" and lines is not None:
            lines.append(line.strip())
        elif colon and name in known and name not in found:
            lines = found[name] = [value.strip()]
        else:
            raise InvalidInput(f"no field that was asked for: {line[:80]!r}")
    fields = {name: " ".join(filter(None, lines)) for name, lines in found.items()}
    lacking = [key for key in _KEY if key not in fields or not (bare or fields[key])]
    if lacking or (bare and "Status" not in fields):
        raise InvalidInput(f"a package without {' and '.join(lacking) or 'Status'}")
    return fields


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()
