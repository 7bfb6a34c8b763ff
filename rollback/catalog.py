"""What can be had: the versions that a host's repositories would offer, with the old ones back in place. Reads only."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.host import Host

Control = tuple[tuple[str, str], ...]
"""The fields of a package's stanza that say what it demands of others, by name (`universe.FIELDS`)."""

_TIMEOUT = 900.0  # seconds; fetching the indexes of a slow archive

# One round trip. stdin: `name NAME`, `present PATH TEXT`, `absent PATH` a line, the last two in base64. The host's own
# apt fetches and verifies the indexes of the source files that differ from the host's, into a temporary directory; the
# indexes of the others are those that it has. Hooks are cleared, for they may write (apt.conf(5), #clear). What the
# indexes say of the names is printed: package, version, architecture, size, SHA-256, origin, tab-separated.
_SCRIPT = r"""
set -euo pipefail
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
set -- -qq -c "$t/quiet" -o "Dir::State::lists=$t/lists/" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Update::Error-Mode=any
if [ -n "$(ls -A "$t/new")" ]; then
    apt-get "$@" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$t/new" update >&2
fi
find "$lists" -maxdepth 1 -xtype f ! -name lock -exec cp -s -n -t "$t/lists" -- {} +
apt-get "$@" -o "Dir::Etc::sourcelist=$t/main.list" -o "Dir::Etc::sourceparts=$t/parts" \
    indextargets --format '$(FILENAME) $(DESCRIPTION)' 'Identifier: Packages' > "$t/indexes"
while read -r file origin; do
    /usr/lib/apt/apt-helper cat-file "$file" | names=$t/names origin=$origin awk '
        function value(name,   i) {
            for (i = 1; i <= NF; i++)
                if (substr($i, 1, length(name) + 2) == name ": ") return substr($i, length(name) + 3)
        }
        BEGIN {
            while ((getline name < ENVIRON["names"]) > 0) wanted[name]
            RS = ""; FS = "\n"; OFS = "\t"
        }
        value("Package") in wanted {
            print value("Package"), value("Version"), value("Architecture"), value("Size"), value("SHA256"), ENVIRON["origin"]
        }'
done < "$t/indexes"
"""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """One version of one package that can be had. `origin` is the index that offers it, as apt names it; `size` in bytes.

    `digest` is the SHA-256 of the package file, '' where the index does not say. `control`: what it demands of others.
    """

    name: str
    arch: str
    version: str
    origin: str
    digest: str = ""
    size: int = 0
    control: Control = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """Candidates by name, architecture and version; where several indexes offer the same, the first in apt's order counts.

    `present` is what the host's own dpkg says of the packages on it: what they demand of others, but no bytes.
    """

    candidates: Mapping[tuple[str, str, str], Candidate]
    present: Mapping[tuple[str, str, str], Control] = field(default_factory=dict)

    def find(self, name: str, arch: str, version: str) -> Candidate | None:
        """Exactly this version (the same text), or `None`."""
        return self.candidates.get((name, arch, version))


def catalog(candidates: Iterable[Candidate], present: Mapping[tuple[str, str, str], Control] | None = None) -> Catalog:
    """The catalog of `candidates`, which stand in the order of preference."""
    found: dict[tuple[str, str, str], Candidate] = {}
    for one in candidates:
        found.setdefault((one.name, one.arch, one.version), one)
    return Catalog(found, present or {})


def offered(host: Host, sources: Mapping[str, str | None], names: Iterable[str]) -> Catalog:
    """What `host` could have of the packages `names` if its source files were as `sources` says: path -> text, `None` is absent.

    Source files that are not named count as they are. Nothing of the host changes. Raises `CommandFailed` where an index
    cannot be fetched or verified.
    """
    lines = [f"name {name}" for name in sorted(set(names))]
    for path, text in sorted(sources.items()):
        lines.append(f"absent {_base64(path)}" if text is None else f"present {_base64(path)} {_base64(text)}")
    argv = ("bash", "-c", _SCRIPT, "bash")
    result = host.run(argv, stdin="".join(f"{line}\n" for line in lines).encode(), timeout=_TIMEOUT)
    return catalog(parse(result.text, host.name))


def parse(text: str, source: str) -> tuple[Candidate, ...]:
    """What the host printed, in its order. Raises `InvalidInput` naming `source` and the line."""
    return tuple(_candidate(line, f"{source}: line {number}") for number, line in enumerate(text.splitlines(), 1))


def _candidate(line: str, place: str) -> Candidate:
    fields = line.split("\t")
    if len(fields) != 6 or not all(fields[:3]) or not (fields[3] or "0").isdecimal():
        raise InvalidInput(f"{place}: {line!r} tells of no package version")
    name, version, arch, size, digest, origin = fields
    return Candidate(name, arch, version, origin, digest, int(size or "0"))


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()
