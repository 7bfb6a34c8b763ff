"""Query of a host with apt: the indexes that its repositories would have, and what dpkg reports of the installed packages.

The host's own apt fetches and verifies the indexes of the source files that differ from the host's, into a temporary directory; the
indexes of the others are those that it has. Hooks are cleared, for they may write (apt.conf(5), #clear).
"""

from nornir_upgrade.core.transport.disk import HOME
from nornir_upgrade.core.transport.sections import SHELL
from rollback.packaging.labels import ABOUT

from .status import STATUS_FIELDS

_STATUS_FORMAT = (
    "".join(f"{name}: ${{{'db:Status-Status' if name == 'Status' else name}}}\\n" for name in STATUS_FIELDS) + "\\n"
)
_TARGET_FORMAT = "\t".join(f"$({name})" for name in ("FILENAME", *ABOUT))

_SCRIPT = (
    "set -euo pipefail\n"
    + SHELL
    + HOME
    + r"""
eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d lists Dir::State::lists/d)"
home 32768
t=$root
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


def argv(boundary: str, small: int) -> tuple[str, ...]:
    """The command; `small` is the size in bytes up to which an index comes along."""
    return ("bash", "-c", _SCRIPT, "bash", boundary, _TARGET_FORMAT, str(small), _STATUS_FORMAT)
