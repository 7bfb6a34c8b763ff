"""The question to one host, what it could have: which indexes its repositories have with the old ones back in place, by digest,
and what its dpkg says of the packages that are there. Reads only; one round trip.

An index is named by the SHA-256 of its file as it lies on the host, mostly packed. A small one comes along at once; of others the fleet
needs each but once, so that they are fetched by name (`fetch`).
"""

from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping

from nornir_upgrade.core.errors import DigestMismatch, InvalidInput
from nornir_upgrade.core.host import Host
from nornir_upgrade.core.sections import SHELL, new_boundary
from nornir_upgrade.core.store import digest_of

from .answer import ABOUT, STATUS_FIELDS, Answer, parse

Sources = Mapping[str, str | None]
"""Source files that are not to count as they are on the host: path -> text, `None` for one that is not there."""

_TIMEOUT = 900.0  # seconds; fetching the indexes of a slow archive
_SMALL = 1 << 16  # bytes of an index that comes along: less than another round trip costs
_STATUS_FORMAT = (
    "".join(f"{name}: ${{{'db:Status-Status' if name == 'Status' else name}}}\\n" for name in STATUS_FIELDS) + "\\n"
)
_TARGET_FORMAT = "\t".join(f"$({name})" for name in ("FILENAME", *ABOUT))

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


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()
