"""A way back on which no package loses a file to one that goes or grows smaller.

Where a newer release moved a file from one package to another, dpkg forgets it on the way back in two cases. The package that has
it now declares Replaces on the one that had it: while it is there, dpkg leaves that file out of the older package (policy 7.6.1), and
then takes it away with the newer one (libssl3 and libssl3t64: libcrypto.so.3). Or the older package has it below /lib, the newer one
below /usr/lib, which is the same place, and dpkg does not know that: it takes the newer path away when the older one has been
unpacked there (libtirpc3). In its own direction an archive guards against both, not in the other. So apt is given a dpkg that looks
after each call whether a file went that another package claims, and unpacks that package once more before anything else runs.
What it knew when a host lost its power is on the disk, and is the first that the next transaction looks at.
"""

from collections.abc import Sequence

_HOME = "/var/lib/nornir-upgrade/dpkg"

# Run by apt in place of dpkg. `sort` and the like are not used: theirs may be the library that just went. A package claims what its
# list names, and what its md5sums name, from which dpkg strikes nothing; there, that the beginning of a path matches is enough.
DPKG = f"""\
#!/bin/sh
# nornir-upgrade: dpkg, and no file lost
export LC_ALL=C
home={_HOME} info=/var/lib/dpkg/info
case " $* " in
' --mend ') [ -f "$home/before" ] || exit 0 ;;
*' --unpack '* | *' --remove '* | *' --purge '*) ;;
*) exec dpkg "$@" ;;
esac
archives() {{
  for word do
    for archive in "$word" "$word"/*.deb; do
      case $archive in *.deb) [ ! -f "$archive" ] || readlink -f -- "$archive" ;; esac
    done
  done
}}
names() {{
  for word do printf '%s\\n' "${{word%%:*}}"; done
  archives "$@" | while IFS= read -r archive; do archive=${{archive##*/}}; printf '%s\\n' "${{archive%%_*}}"; done
}}
present() {{
  names "$@" | while IFS= read -r name; do
    for list in "$info/$name.list" "$info/$name":*.list; do [ ! -f "$list" ] || cat -- "$list"; done
  done | while IFS= read -r path; do
    if [ -d "$path" ]; then printf 'd%s\\n' "$path"; elif [ -e "$path" ] || [ -L "$path" ]; then printf 'f%s\\n' "$path"; fi
  done
}}
status=0
if [ "$*" != --mend ]; then
  archives "$@" >> "$home/archives"
  present "$@" > "$home/before"
  dpkg "$@"
  status=$?
fi
while IFS= read -r line; do
  path=${{line#?}}
  [ -e "$path" ] || [ -L "$path" ] || printf '%s\\n' "$line"
done < "$home/before" > "$home/gone"
sed -E 's,^.(/usr/|/),/,; p; s,^,/usr,' "$home/gone" > "$home/paths"
sed -nE 's,^f(/usr/|/),  ,; T; p; s,^  ,  usr/,; p' "$home/gone" > "$home/files"
{{
  [ ! -s "$home/paths" ] || grep -lxF -f "$home/paths" -- "$info"/*.list
  [ ! -s "$home/files" ] || grep -lF -f "$home/files" -- "$info"/*.md5sums
}} | while IFS= read -r owner; do owner=${{owner##*/}}; printf '%s\\n' "${{owner%.*}}"; done > "$home/owners"
set --
while IFS= read -r owner; do
  case $owner in *:*) pattern="${{owner%%:*}}_*_${{owner#*:}}.deb" ;; *) pattern="${{owner}}_*.deb" ;; esac
  while IFS= read -r archive; do
    case ${{archive##*/}} in $pattern) set -- "$@" "$archive" ;; esac
  done < "$home/archives"
done < "$home/owners"
[ $# -eq 0 ] || {{
  echo "unpacked once more, for files that went with another package:" "$@"
  dpkg --force-depends --force-confdef --force-confold --no-triggers --auto-deconfigure --unpack -- "$@" || status=$?
}}
rm -f "$home/before"
exit $status
"""

SCRIPT = f"""\
dpkg=$1; shift
mkdir -p {_HOME} && printf '%s' "$dpkg" > {_HOME}/dpkg && chmod 755 {_HOME}/dpkg && {_HOME}/dpkg --mend || exit 1
trap 'rm -rf {_HOME}' EXIT
trap 'exit 1' HUP INT TERM
rm -f {_HOME}/archives
"$@"
"""


def kept_whole(argv: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `argv`, an apt-get, with a dpkg that loses no file."""
    program, *arguments = argv
    return ("sh", "-c", SCRIPT, "sh", DPKG, program, "-o", f"Dir::Bin::dpkg={_HOME}/dpkg", *arguments)
