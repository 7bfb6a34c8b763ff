"""What a host with dpkg can give of .deb files: out of apt's cache, through apt's repositories, or rebuilt from what is installed.

Rebuilding is what dpkg-repack(1) does, with nothing but what every Debian host has: the hosts may have no network to install tools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.file_source import GATHERED, FileOffer, Held, held_of
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.transport.disk import RESERVE, ROOM

from .dependencies import fields_of, stanzas

_CACHE, _END = "== cache", "== end"

# stdin: words for apt-cache, then the names of files, a line each. apt-cache(8) says of an index what apt itself has verified.
LOOK = f"""\
eval "$(apt-config shell cache Dir::Cache::archives/d)"
head -c "$1" | xargs -r apt-cache show -- 2>/dev/null | grep -E '^((Package|Version|Architecture|Size|SHA256): .*|)$'
echo '{_CACHE}'
echo "$cache"
while IFS= read -r name; do
  file=${{cache%/}}/$name
  [ -f "$file" ] || continue
  digest=$(sha256sum <"$file") && size=$(stat -c %s -- "$file") || continue
  form='${{Package}}\\t${{Version}}\\t${{Architecture}}\\n'
  said=$(dpkg-deb --show --showformat="$form" -- "$file" 2>/dev/null) || continue
  printf '%s\\tname\\t%s\\t%s\\t%s\\n' "$name" "${{digest%% *}}" "$size" "$said"
done
echo '{_END}'
"""

_TELL = r"""
sha256sum -- "$@" | while read -r digest name; do
  printf 'held\t%s\t%s\t%s\t%s\n' "$name" "$check" "$digest" "$(stat -c %s -- "$name")"
done
"""

# apt-get(8) download: checked by apt against its indexes; one that fails leaves the others.
DOWNLOAD = f"""\
{ROOM}
shift 2
apt-get -q -q download -- "$@"
status=$?
check=index
set -- *.deb
[ -e "$1" ] && {{
{_TELL}
}}
exit $status
"""

# dpkg-query(1): -s gives the stanza with dpkg's own fields among the package's; -L tells of a diversion in a line behind the path.
# A directory of the package is one that other paths of it lie below: where /lib is a link to /usr/lib, it is a directory still.
# A conffile that somebody changed is so here too, and an empty line longer: dpkg goes on taking it for changed, and the next upgrade
# does not replace it in silence. One that went is no conffile of the new file.
REBUILD = rf"""
{ROOM}
package=$3:$4 version=$5 name=$6 check=name
set -e
installed=$(dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' -- "$package")
[ "$installed" = "installed $version" ] || {{ echo "$package is $installed, not $version"; exit 1; }}
kilobytes=$(dpkg-query -W -f '${{Installed-Size}}' -- "$package")  # a package need not say it
needed=$((${{kilobytes:-0}} * 2048))
[ "$free" -ge $(($2 + needed)) ] || {{ echo "No space left on device: $1 has $free bytes free, $needed are needed"; exit 1; }}
work=$(mktemp -d "$1/rebuild.XXXXXXXXXX")
trap 'rm -rf -- "$work"' EXIT
tree=$work/tree
umask 022
mkdir -m 755 "$tree" "$tree/DEBIAN"
dpkg-query -s -- "$package" | awk '/^[^ ]/ {{ skip = /^(Status|Conffiles|Config-Version|Triggers-[A-Z][a-z]*):/ }} !skip' \
  >"$tree/DEBIAN/control"
for file in $(dpkg-query --control-list -- "$package"); do
  [ "$file" = conffiles ] || cp -p -- "$(dpkg-query --control-path "$package" "$file")" "$tree/DEBIAN/$file"
done
dpkg-query -L -- "$package" >"$work/list"
awk -v diverted="$work/diverted" -v parents="$work/parents" '
  /^(locally diverted|diverted by .*) to: / {{ sub(/^[^\/]*/, ""); print path "\t" $0 >diverted; gone[path]; next }}
  /^\// {{ path = $0; if (path == "/.") next; paths[++count] = path; up = path; sub(/\/[^\/]*$/, "", up); if (up != "") above[up] }}
  END {{
    for (number = 1; number <= count; number++) {{
      if (paths[number] in above) print paths[number] >parents
      if (!(paths[number] in gone)) print paths[number]
    }}
  }}' "$work/list" >"$work/paths"
touch "$work/diverted" "$work/parents" "$work/links"
while IFS= read -r path; do
  [ ! -L "$path" ] || {{ printf '%s\n' "$path"; mkdir -p -- "$tree$path"; }}
done <"$work/parents" >"$work/links"
grep -vxF -f "$work/links" "$work/paths" | while IFS= read -r path; do
  if [ -e "$path" ] || [ -L "$path" ]; then printf '.%s\0' "$path"; fi
done >"$work/present"
tar -C / --create --file=- --null --no-unquote --no-recursion --files-from="$work/present" |
  tar -C "$tree" --extract --file=- --preserve-permissions --same-owner
while IFS="$(printf '\t')" read -r path from; do
  mkdir -p -- "$tree${{path%/*}}" && cp -a -- "$from" "$tree$path"
done <"$work/diverted"
dpkg-query -W -f '${{Conffiles}}\n' -- "$package" | sed -nE 's,^ (/.*) ([0-9a-f]{{32}})$,\2 \1,p' | while read -r was path; do
  [ -f "$tree$path" ] && [ ! -L "$tree$path" ] || continue
  printf '%s\n' "$path"
  now=$(md5sum <"$tree$path")
  [ "${{now%% *}}" = "$was" ] || echo >>"$tree$path"
done >"$work/conffiles"
[ ! -s "$work/conffiles" ] || cp "$work/conffiles" "$tree/DEBIAN/conffiles"
dpkg-deb --build -Zgzip "$tree" "$work/made.deb" >/dev/null
mv -f -- "$work/made.deb" "$name"
set -- "$name"
{_TELL}
"""


@dataclass(frozen=True, slots=True)
class AptFileSource:
    """The depot of Debian and its descendants."""

    def look(self, files: Sequence[PackageFile]) -> tuple[tuple[str, ...], bytes]:
        words = "".join(f"{_word(file)}\n" for file in files).encode()
        names = "".join(f"{file.file_name}\n" for file in files).encode()
        return ("sh", "-c", LOOK, "sh", str(len(words))), words + names

    def parse_look(self, text: str, files: Sequence[PackageFile]) -> dict[PackageFile, FileOffer]:
        lines = text.splitlines()
        if _CACHE not in lines or lines[-1] != _END:
            raise InvalidInput(f"what can be had of package files is cut off at line {len(lines)}")
        middle = lines.index(_CACHE)
        shown = [dict(fields_of(stanza)) for _, stanza in stanzas("\n".join(lines[:middle]))]
        cached = dict(_cached(line, lines[middle + 1].rstrip("/")) for line in lines[middle + 2 : -1])
        return {file: _offer(file, shown, cached.get((file.file_name, *_identity(file)))) for file in files}

    def download(self, files: Sequence[PackageFile], size: int) -> tuple[str, ...]:
        return ("sh", "-c", DOWNLOAD, "sh", GATHERED, str(size + RESERVE), *map(_word, files))

    def rebuild(self, file: PackageFile) -> tuple[str, ...]:
        what = (file.name, file.arch, file.version, file.file_name)
        return ("sh", "-c", REBUILD, "sh", GATHERED, str(RESERVE), *what)


def _word(file: PackageFile) -> str:
    return f"{file.name}:{file.arch}={file.version}"


def _identity(file: PackageFile) -> tuple[str, str, str]:
    return file.name, file.version, file.arch


def _cached(line: str, cache: str) -> tuple[tuple[str, ...], Held]:
    """The file's name and whose it is, by what stands in it; and the file."""
    fields = line.split("\t")
    return (fields[0], *fields[4:]), held_of(fields[:4], cache)


def _offer(file: PackageFile, shown: Sequence[Mapping[str, str]], cached: Held | None) -> FileOffer:
    mine = [
        stanza
        for stanza in shown
        if tuple(stanza.get(k) for k in ("Package", "Version", "Architecture")) == _identity(file)
    ]
    complete = [stanza for stanza in mine if stanza.get("SHA256") and stanza.get("Size", "").isdecimal()]
    digests = tuple(dict.fromkeys(stanza["SHA256"] for stanza in complete))
    if cached and cached.digest in digests:
        cached = Held(cached.path, cached.digest, cached.size, "index")
    elif digests:
        cached = None  # it is not what the index says
    return FileOffer(
        cached, bool(digests), digests, int(complete[0]["Size"]) if complete else cached.size if cached else 0
    )
