"""A transaction of dpkg on which no package loses a file to one that goes or grows smaller, and sshd goes on letting people in.

Where a newer release moved a file from one package to another, dpkg forgets it on the way back in two cases. The package that has
it now declares Replaces on the one that had it: while it is there, dpkg leaves that file out of the older package (policy 7.6.1), and
then takes it away with the newer one (libssl3 and libssl3t64: libcrypto.so.3). Or the older package has it below /lib, the newer one
below /usr/lib, which is the same place, and dpkg does not know that: it takes the newer path away when the older one has been
unpacked there (libtirpc3). In its own direction an archive guards against both, not in the other. So apt is given a dpkg that
*releases* such files first: it strikes them from the list of the package that goes, and unpacks the other package once more, which
takes them over by rename: at no moment is a file missing. What is gone nevertheless is seen after each call, and unpacked again.

An sshd whose files were exchanged refuses connections until it is started anew (its session program is another). So it is told to
load itself again (SIGHUP, sshd(8)) as soon as the new one passes its own test (`sshd -t`).

The script's tools are private copies with the libraries that they had when the transaction began (`tools`). Its shell and dpkg
are the host's own, which the order of the transaction keeps whole (`vital`). What it knew when a host lost its power is on the disk,
and is the first that the next transaction looks at.
"""

from collections.abc import Sequence

HOME = "/var/lib/nornir-upgrade/dpkg"
PLANNER_NAME = "nornir-upgrade"

_TOOLS = "awk cat chmod cp grep mv readlink rm sed"

# ld.so(8) runs a program with libraries of its own; without one that does (no execution below /var), the host's own tools do.
MAKE_TOOLS = f"""\
rm -rf {HOME}/tools
mkdir -p {HOME}/tools/bin {HOME}/tools/lib
for loader in /lib64/ld-linux*.so.* /lib/ld-linux*.so.* /lib/*-linux-gnu*/ld-linux*.so.*; do
  ! "$loader" --verify "$(readlink -f "$(command -v cat)")" 2>/dev/null || break
done
for tool in {_TOOLS}; do
  path=$(readlink -f "$(command -v "$tool")") && cp "$path" "{HOME}/tools/bin/$tool" || exit 1
  "$loader" --list "$path" 2>/dev/null
done | sed -nE 's/^.* => (\\/[^ ]+) \\(0x[0-9a-f]+\\)$/\\1/p' | sort -u | while IFS= read -r library; do
  cp -L "$library" {HOME}/tools/lib/ || exit 1
done
cp -L "$loader" {HOME}/tools/ld.so 2>/dev/null
{HOME}/tools/ld.so --library-path {HOME}/tools/lib {HOME}/tools/bin/cat /dev/null 2>/dev/null || rm -f {HOME}/tools/ld.so
"""

# Phases: 1 names at hand, 2 their lists, 3 lists of all others, 4 contents of what was unpacked by this transaction. A path goes by
# the name that it has below /usr. Told: kind, who claims, whose list has it, the path there.
_CLAIMS = r"""
function place(path) { return substr(path, 1, 5) == "/usr/" ? substr(path, 5) : path }
function package(file) { sub(/^.*\//, "", file); sub(/\.list$/, "", file); return file }
function bare(word) { sub(/:.*$/, "", word); return word }
function found(kind, at,  lines, count, number) {
  count = split(own[at], lines, "\n")
  for (number = 1; number < count; number++) print kind "\t" owner "\t" lines[number]
}
FNR == 1 { owner = package(FILENAME) }
phase == 1 { names[$0] = 1; next }
phase == 2 {
  at = place($0)
  if (substr(at, 1, 1) != "/" || at == "/.") next
  own[at] = own[at] FILENAME "\t" $0 "\n"
  sub(/\/[^\/]*$/, "", at); directory[at] = 1
  next
}
bare(owner) in names { next }
{ at = place($0) }
!(at in own) || at in directory { next }
phase == 3 { listed[owner "\t" at] = 1; found("list", at); next }
!((owner "\t" at) in listed) { found("left", at) }
"""

# Run by apt in place of dpkg. A package claims what its list names, and what its archive holds once it is unpacked.
DPKG = f"""\
#!/bin/sh
# nornir-upgrade: dpkg, no file lost, and sshd as it is on the disk
export LC_ALL=C
home={HOME} info=/var/lib/dpkg/info
line='
'
case " $* " in
' --mend ') [ -f "$home/before" ] || [ -f "$home/again" ] || exit 0 ;;
*' --unpack '* | *' --remove '* | *' --purge '*) ;;
*) exec dpkg "$@" ;;
esac
tool() {{
  if [ -x "$home/tools/ld.so" ]; then
    name=$1; shift
    "$home/tools/ld.so" --library-path "$home/tools/lib" "$home/tools/bin/$name" "$@"
  else
    "$@"
  fi
}}
archives() {{
  for word do
    for archive in "$word" "$word"/*.deb; do
      case $archive in *.deb) [ ! -f "$archive" ] || tool readlink -f -- "$archive" ;; esac
    done
  done
}}
names() {{
  for word do
    case $word in
    *.deb) word=${{word##*/}}; printf '%s\\n' "${{word%%_*}}" ;;
    -* | */*) ;;
    *) printf '%s\\n' "${{word%%:*}}" ;;
    esac
  done
}}
lists() {{
  while IFS= read -r name; do
    for list in "$info/$name.list" "$info/$name":*.list; do [ ! -f "$list" ] || printf '%s\\n' "$list"; done
  done < "$home/names"
}}
present() {{
  lists | while IFS= read -r list; do tool cat -- "$list"; done | while IFS= read -r path; do
    if [ -d "$path" ]; then printf 'd%s\\n' "$path"; elif [ -e "$path" ] || [ -L "$path" ]; then printf 'f%s\\n' "$path"; fi
  done
}}
of_packages() {{
  while IFS= read -r owner; do
    case $owner in *:*) pattern="${{owner%%:*}}_*_${{owner#*:}}.deb" ;; *) pattern="${{owner}}_*.deb" ;; esac
    while IFS= read -r archive; do
      case ${{archive##*/}} in $pattern) printf '%s\\n' "$archive"; break ;; esac
    done < "$home/archives"
  done
}}
again() {{
  [ -s "$home/again" ] || return 0
  set -- ; while IFS= read -r archive; do set -- "$@" "$archive"; done < "$home/again"
  echo "unpacked once more, for files that another package had:" "$@"
  configured=$(names "$@" | while IFS= read -r name; do
    dpkg-query -W -f '${{db:Status-Status}} ${{binary:Package}}\\n' "$name"
  done 2>/dev/null | tool sed -nE 's/^(installed|triggers-[a-z]*) //p')
  dpkg --force-depends --force-breaks --force-confdef --force-confold --no-triggers --auto-deconfigure --unpack -- "$@" || return
  [ -z "$configured" ] || dpkg --force-depends --force-confdef --force-confold --no-triggers --configure $configured
}}
owners() {{
  tool awk -F '\\t' -v kind="$1" '$1 == kind && !($2 in seen) {{ seen[$2] = 1; print $2 }}' "$home/released"
}}
# Before: what the packages at hand are about to lose, and others claim, is struck from their lists. What another one's list
# has by another name for the same place may stand elsewhere, diverted by the one that goes: it is unpacked again afterwards.
release() {{
  set +f
  set -- "$home"/unpacked/*.list
  [ -f "$1" ] || set --
  tool awk '{_CLAIMS}' phase=1 "$home/names" phase=2 $(lists) phase=3 "$info"/*.list phase=4 "$@" > "$home/claims"
  set -f
  [ -s "$home/claims" ] || return 0
  of_packages < "$home/names" | while IFS= read -r archive; do
    tool cat "$home/contents/${{archive##*/}}" 2>/dev/null
  done > "$home/kept"
  tool awk -F '\\t' '
    function place(path) {{ return substr(path, 1, 5) == "/usr/" ? substr(path, 5) : path }}
    FILENAME ~ /kept$/ {{ kept[place($0)] = 1; next }}
    !(place($4) in kept) && !seen[$3 $4]++
  ' "$home/kept" "$home/claims" | while IFS= read -r claim; do
    path=${{claim##*	}}
    if [ -d "$path" ]; then [ ! -L "$path" ] || printf 'link\\t%s\\n' "${{claim#*	}}"; else printf '%s\\n' "$claim"; fi
  done > "$home/released"
  [ -s "$home/released" ] || return 0
  owners left | of_packages > "$home/again"
  owners list | of_packages > "$home/later"
  tool awk -F '\\t' '!($3 in seen) {{ seen[$3] = 1; print $3 }}' "$home/released" | while IFS= read -r list; do
    tool awk -F '\\t' -v list="$list" '
      FILENAME ~ /released$/ {{ if ($3 == list) gone[$4] = 1; next }}
      !($0 in gone)
    ' "$home/released" "$list" > "$list-new" && tool chmod 644 "$list-new" && tool mv -f "$list-new" "$list"
  done
  again && tool rm -f "$home/again"
}}
# After: what is gone nevertheless, and another package claims.
mend() {{
  while IFS= read -r word; do
    path=${{word#?}}
    [ -e "$path" ] || [ -L "$path" ] || printf '%s\\n' "$word"
  done < "$home/before" > "$home/gone"
  tool sed -E 's,^.(/usr/|/),/,; p; s,^,/usr,' "$home/gone" > "$home/paths"
  set +f
  if [ -s "$home/paths" ]; then
    tool grep -lxF -f "$home/paths" -- "$info"/*.list "$home"/unpacked/*.list 2>/dev/null
  fi | while IFS= read -r owner; do owner=${{owner##*/}}; printf '%s\\n' "${{owner%.list}}"; done | of_packages > "$home/again"
  set -f
  [ ! -f "$home/later" ] || tool cat "$home/later" >> "$home/again"
  again && tool rm -f "$home/before" "$home/again" "$home/later"
}}
# What an archive holds is what its package claims from now on, whatever dpkg left out of it.
remember() {{
  for archive do
    name=${{archive##*/}} arch=${{archive##*_}}
    list=$info/${{name%%_*}}.list
    [ -f "$list" ] || list=$info/${{name%%_*}}:${{arch%.deb}}.list
    [ ! -f "$list" ] || tool cp "$home/contents/$name" "$home/unpacked/${{list##*/}}" 2>/dev/null
  done
}}
forget() {{
  set +f
  while IFS= read -r name; do tool rm -f "$home/unpacked/$name.list" "$home/unpacked/$name":*.list; done < "$home/names"
  set -f
}}
reload() {{
  [ -f "$home/sshd" ] && /usr/sbin/sshd -t 2>/dev/null || return 0
  pid=$(tool cat /run/sshd.pid 2>/dev/null) || pid=$(systemctl show --property=MainPID --value ssh.service 2>/dev/null)
  case $(tool readlink "/proc/$pid/exe" 2>/dev/null) in */sshd*) kill -HUP "$pid" ;; esac
  tool rm -f "$home/sshd"
}}
call() {{
  names "$@" > "$home/names"
  [ -n "$unpacking" ] || forget
  release || return
  present > "$home/before"
  dpkg $options "$@"
  status=$?
  [ -z "$unpacking" ] || remember "$@"
  mend || [ $status -ne 0 ] || status=1
  reload
  return $status
}}
set -f
if [ "$*" = --mend ]; then
  again || exit
  [ ! -f "$home/before" ] || mend
  exit
fi
case " $* " in *' --unpack '*) unpacking=1 ;; *) unpacking= ;; esac
IFS=$line options= words= takes=
for word do
  case $takes$word in
  --recursive) continue ;;
  --status-fd) takes='its number: ' ;;
  --*) ;;
  'its number: '*) takes= ;;
  *) words=$words$line$word; continue ;;
  esac
  options=$options$line$word
done
set -- $words
if [ -z "$unpacking" ]; then call "$@"; exit; fi
set +f; set -- $(archives "$@"); set -f
for archive do printf '%s\\n' "$archive" >> "$home/archives"; done
batch=
for archive do
  batch=$batch$line$archive
  case ${{archive##*/}} in openssh-server_*) : > "$home/sshd" ;; esac
  [ -f "$home/sshd" ] || continue
  call $batch || exit
  batch=
done
[ -z "$batch" ] || call $batch
"""

# A hook of apt (apt.conf(5), DPkg::Pre-Install-Pkgs): every file that will be unpacked, before the first one is.
VERIFY = f"""\
#!/bin/sh
# nornir-upgrade: every package file is here, and can be read to its end; what each of them holds
home={HOME}
mkdir -p "$home/contents" "$home/unpacked"
while IFS= read -r archive; do
  printf '%s\\n' "$archive" >> "$home/archives"
  {{ dpkg-deb --fsys-tarfile "$archive" || : > "$home/unreadable"; }} | tar -tf - > "$home/list" || : > "$home/unreadable"
  [ ! -e "$home/unreadable" ] || {{ echo "$archive cannot be read" >&2; rm -f "$home/unreadable"; exit 1; }}
  sed -E 's,^\\.,,; s,/$,,; /^$/d' "$home/list" > "$home/contents/${{archive##*/}}"
done
"""

# Debian's packages of the newer release divert the older one's files below /lib while both are there (DEP 17), and take the diversions
# back where they are removed, not where they go down: on the way back nothing may be diverted. What a cut-off call knew stays known.
SCRIPT = f"""\
dpkg=$1 verify=$2 planner=$3 back=$4; shift 4
mkdir -p {HOME} || exit 1
for name in dpkg verify {PLANNER_NAME}; do
  case $name in dpkg) text=$dpkg ;; verify) text=$verify ;; *) text=$planner ;; esac
  printf '%s' "$text" > {HOME}/$name && chmod 755 {HOME}/$name || exit 1
done
{HOME}/dpkg --mend || exit 1
trap 'status=$?; [ $status -ne 0 ] || rm -rf {HOME}; exit $status' EXIT
trap 'exit 1' HUP INT TERM
rm -f {HOME}/sshd
{MAKE_TOOLS}\
if [ "$back" ]; then
  dpkg-divert --list '*.usr-is-merged' | grep '^diversion of ' | while read -r _ _ path _ aside _ owner; do
    dpkg-divert --quiet --package "$owner" --divert "$aside" --no-rename --remove "$path" || exit 1
  done || exit 1
fi
"$@"
"""

_GUARDED = ("-o", f"Dir::Bin::dpkg={HOME}/dpkg", "-o", f"DPkg::Pre-Install-Pkgs::={HOME}/verify")
PLANNED = (
    *("-o", f"APT::Planner={PLANNER_NAME}", "-o", f"Dir::Bin::Planners::={HOME}"),
    *("-o", "APT::Planner::RunAsUser=root"),
)
"""Options that have apt ask our planner, which reads `ORDER`."""
ORDER = f"{HOME}/order"


def kept_whole(argv: Sequence[str], planner: str, *, planned: bool = False, back: bool = False) -> tuple[str, ...]:
    """The command that runs `argv`, an apt-get, with a dpkg that loses no file; `planned`: in the order that `ORDER` has; `back`:
    to older versions."""
    program, *arguments = argv
    options = (*_GUARDED, *(PLANNED if planned else ()))
    return ("sh", "-c", SCRIPT, "sh", DPKG, VERIFY, planner, "back" if back else "", program, *options, *arguments)
