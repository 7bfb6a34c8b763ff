"""Layer: a throw-away copy-on-write layer of a host's own root, in namespaces of its own, which is used as a host itself.

What a step does to a layer, it does to files that only the layer has: `overlay` mounts have the host's file systems as their lower
layers. The layer has a private mount, pid, ipc, uts and network namespace, its own empty /run and /tmp, and a /dev without disks: no
process in it reaches a service of the host, a socket or a boot sector. Services are denied: `policy-rc.d` exits with 101
(invoke-rc.d(8)), systemctl(1) is told to be offline. Boot loaders are replaced by programs that do nothing.

All of it belongs to one process on the host, the *keeper*. When that ends, for whatever reason, the kernel ends every process of the
layer and takes its mounts away; the keeper's own parent removes the files then. A keeper that nobody asked anything for `SILENCE` ends
by itself. What a host that lost its power has of a layer is removed when the next one is opened.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from nornir_upgrade.core.errors import CommandFailed, Failure, InvalidInput
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.remote import RemoteHost, Sink, with_environment
from nornir_upgrade.core.transport.sections import SHELL, new_boundary, split

from . import layer_plan, mounts
from .layer_plan import HOME, LayerDirectory, Layered

SILENCE = 1200
"""Seconds without a command after which a layer ends: longer than any one command may take."""
_OPEN_LIMIT = 120.0
_CLOSE_LIMIT = 300.0

_LOOK = (
    SHELL
    + """\
mark begin 0
cat /proc/self/mountinfo; mark mounts $?
while read -r _ _ _ _ point _; do
  point=$(printf '%b' "$point")
  [ -d "$point" ] || printf '%s\\n' "$point"
done < /proc/self/mountinfo; mark files 0
df -l -B1 --output=avail,target 2>/dev/null | sed 1d; mark free 0
sed -nE 's/^MemAvailable: *([0-9]+) kB/\\1/p' /proc/meminfo; mark memory $?
sh -c "$1" 2>/dev/null; mark sizes $?
mark end 0
"""
)

# The keeper's process is known by its mount namespace: a process id may be another's by now.
CLEAR = """\
home=$1
[ -e "$home/lock" ] || exit 0
exec 9>>"$home/lock"
if ! flock -n 9; then
  pid=$(cat "$home/pid" 2>/dev/null)
  if [ "$pid" ] && [ "$(readlink "/proc/$pid/ns/mnt")" = "$(cat "$home/namespace" 2>/dev/null)" ]; then
    kill -9 "$pid"
  fi
  flock -w 120 9 || { echo "another rehearsal is at work on this host" >&2; exit 1; }
fi
[ "$(stat -c %i "$home/lock" 2>/dev/null)" = "$(stat -L -c %i "/proc/$$/fd/9")" ] || exit 0
at=$(cat "$home/at" 2>/dev/null)
case $at in */*) rm -rf --one-file-system -- "$at" || exit ;; esac
rm -rf --one-file-system -- "$home"
rmdir "${home%/*}" 2>/dev/null
:
"""

# In the keeper's namespaces. $1 home, $2 token, $3 directory for the upper layers or '', $4 bytes in memory, $5 seconds of silence.
# metacopy: a change of an owner alone copies no database. Where the kernel lacks an option, overlays go without.
_KEEPER = """\
home=$1 token=$2 at=$3 memory=$4 silence=$5
read -r pid _ < /proc/self/stat
printf '%s\\n' "$pid" > "$home/pid"
readlink /proc/self/ns/mnt > "$home/namespace"
fail() { printf '%s\\n' "$1" | head -n 1 > "$home/failed.new"; mv -f "$home/failed.new" "$home/failed"; exit 1; }
base=$home/$token root=$home/$token/root
mkdir -p "$root" || fail "cannot make a directory"
if [ -z "$at" ]; then
  at=$base/memory
  mkdir -p "$at" && said=$(mount -t tmpfs -o "mode=700,size=$memory" nornir-upgrade "$at" 2>&1) || fail "mount: $said"
fi
overlay() {
  upper=$at/upper.$1 work=$at/work.$1
  mkdir -p "$upper" "$work" && chown --reference="$2" "$upper" && chmod --reference="$2" "$upper" ||
    fail "cannot write in $at"
  where="lowerdir=$2,upperdir=$upper,workdir=$work"
  for more in redirect_dir=on,metacopy=on,index=off,volatile redirect_dir=on,metacopy=on,index=off index=off ''; do
    said=$(mount -t overlay -o "nodev,$where${more:+,$more}" overlay "$root$2" 2>&1) && return
  done
  fail "overlay of $2: $said"
}
number=0
while IFS='	' read -r how path; do
  number=$((number + 1))
  case $how in
  overlay) [ ! -d "$path" ] || [ ! -d "$root$path" ] || overlay $number "$path" ;;
  read-only) { mount --bind "$path" "$root$path" && mount -o remount,bind,ro "$root$path"; } 2>/dev/null ;;
  empty) mount -t tmpfs -o mode=1777,nodev nornir-upgrade "$root$path" || fail "cannot mount $path" ;;
  esac
done < "$home/plan"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run"
mount -t proc proc "$root/proc" || fail "cannot mount /proc"
mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys" 2>/dev/null
mount -t tmpfs -o mode=755,nosuid,nodev nornir-upgrade "$root/dev" || fail "cannot mount /dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device" || fail "cannot bind /dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts" && ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777,nodev nornir-upgrade "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
for name in stdin:0 stdout:1 stderr:2; do ln -s "fd/${name#*:}" "$root/dev/${name%:*}"; done
mount -t tmpfs -o mode=755,nodev nornir-upgrade "$root/run" || fail "cannot mount /run"
mkdir -p "$root/run/lock"
chmod 1777 "$root/run/lock"
resolver=$(readlink -f /etc/resolv.conf)
case $resolver in
/run/*) mkdir -p "$root${resolver%/*}" && cat "$resolver" > "$root$resolver" 2>/dev/null ;;
esac
idle=$root/run/nornir-upgrade-idle
mkdir "$idle" || fail "cannot write /run"
for program in grub-install grub-probe grub-mkconfig update-grub grub2-install grub2-mkconfig grub2-probe \
  efibootmgr bootctl flash-kernel lilo zipl extlinux-update update-efi kexec; do
  printf '#!/bin/sh\\nexit 0\\n' > "$idle/$program" && chmod 755 "$idle/$program"
done
rm -f "$root/usr/sbin/policy-rc.d"
printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d" ||
  fail "cannot write in the layer"
if [ -d "$root/etc/apt/apt.conf.d" ]; then
  printf 'DPkg::Path "/run/nornir-upgrade-idle:/usr/sbin:/usr/bin:/sbin:/bin";\\n' \
    > "$root/etc/apt/apt.conf.d/zz-nornir-upgrade-rehearsal"
fi
mount -t tmpfs -o mode=700 nornir-upgrade "$root$home" 2>/dev/null
ip link set lo up 2>/dev/null
: > "$home/heard"
: > "$home/ready.new" && mv -f "$home/ready.new" "$home/ready"
while [ -z "$(find "$home/heard" -mmin "+$((silence / 60))" 2>/dev/null)" ] && [ -e "$home/heard" ]; do
  sleep 5 & wait $!
done
"""

# The parent of all: it holds the lock, and removes what the layer wrote.
_PARENT = """\
home=$1 token=$2 at=$3 memory=$4 silence=$5 keeper=$6
unshare --mount --propagation private --pid --fork --kill-child --ipc --uts --net \\
  sh -c "$keeper" sh "$home" "$token" "$at" "$memory" "$silence" 9>&- </dev/null >"$home/said" 2>&1
status=$?
if [ ! -e "$home/ready" ] && [ ! -e "$home/failed" ]; then
  tail -n 3 "$home/said" > "$home/failed.new" && mv -f "$home/failed.new" "$home/failed"
fi
case $at in */*) rm -rf --one-file-system -- "$at" ;; esac
if [ -e "$home/ready" ]; then
  rm -rf --one-file-system -- "$home/$token"
  rm -rf --one-file-system -- "$home"
  rmdir "${home%/*}" 2>/dev/null
fi
exit $status
"""

# $1 home, $2 token, $3 at, $4 memory, $5 silence, $6 keeper, $7 parent; the plan on standard input.
OPEN = """\
umask 077
home=$1 token=$2 at=$3 parent=$7
mkdir -p -- "$home" || exit
exec 9>>"$home/lock"
flock -n 9 || { echo "another rehearsal is at work on this host" >&2; exit 1; }
cat > "$home/plan" || exit
case $at in
"$home") at=$home/files ;;
esac
printf '%s\\n' "$at" > "$home/at"
case $at in */*) mkdir -p -- "$at" || exit ;; esac
umask 022
setsid -f sh -c "$parent" sh "$home" "$token" "$at" "$4" "$5" "$6" </dev/null >/dev/null 2>&1
exec 9>&-
rounds=600
until [ -e "$home/ready" ] || [ -e "$home/failed" ] || [ $rounds -eq 0 ]; do sleep 0.1; rounds=$((rounds - 1)); done
if [ -e "$home/ready" ]; then cat "$home/pid"; exit 0; fi
cat "$home/failed" >&2
exit 1
"""

# On the host, before each command of the layer. Where the keeper is gone, `root` is an empty directory of the host or none: nothing
# can be run there, whose process the id has become. setpriv(1) reads /proc by the process ids that it sees: it comes before nsenter(1).
_ENTER = """\
home=$1 pid=$2 online=$3; shift 3
: > "$home/heard" || { echo "the layer is gone" >&2; exit 125; }
if [ "$online" ]; then set -- -- "$@"; else set -- --net -- "$@"; fi
exec setpriv --bounding-set -sys_module,-sys_rawio,-sys_time,-sys_boot \
  nsenter --target "$pid" --mount --pid --ipc --uts "$@"
"""
_PATH = "/run/nornir-upgrade-idle:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a host says of itself before a layer of it is made."""

    plan: tuple[Layered, ...]
    places: tuple[LayerDirectory, ...]
    sizes: Mapping[tuple[str, str], int]


class Layer(RemoteHost):
    """A layer of `host` that stands, as a host. Jobs in it are found again by name, and end with it. `online`: commands have
    the host's network, else none at all."""

    def __init__(self, host: RemoteHost, pid: str, token: str, *, online: bool = False) -> None:
        super().__init__(host.name, host.patience)
        self._host, self._pid, self._token = host, pid, token
        self._online = online

    def online(self) -> "Layer":
        """The same layer, whose commands have the host's network."""
        return Layer(self._host, self._pid, self._token, online=True)

    def exchange(self, argv: Sequence[str], source: BinaryIO | None, sink: Sink, timeout: float) -> tuple[int, bytes]:
        within = ("chroot", f"{HOME}/{self._token}/root", "env", "SYSTEMD_OFFLINE=1", f"PATH={_PATH}")
        enter = ("sh", "-c", _ENTER, "sh", HOME, self._pid, "online" if self._online else "")
        return self._host.exchange((*enter, *within, *with_environment(argv)), source, sink, timeout)


def survey(host: Host, sizes: str) -> Ground:
    """What a layer of `host` would be made of. Reads only. `sizes` is `ProbePart.BYTES` of its package manager.

    Raises `InvalidInput` where there can be none.
    """
    boundary = new_boundary()
    sections = split(host.run(("sh", "-c", _LOOK, "sh", boundary, sizes)).text, boundary)
    found = mounts.parse(sections["mounts"].succeeded().text)
    rows = (line.split(None, 1) for _, line in sections["free"].lines())
    free = {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdecimal()}
    memory = sections["memory"].succeeded().text.strip()
    plan = layer_plan.layered(found, sections["files"].text.splitlines())
    packages = (line.split("\t") for _, line in sections["sizes"].lines())
    known = {(row[0], row[1]): int(row[2]) for row in packages if len(row) == 3 and row[2].isdecimal()}
    return Ground(plan, layer_plan.places(found, free, int(memory or 0) << 10), known)


@contextmanager
def opened(host: RemoteHost, ground: Ground, places: Sequence[LayerDirectory]) -> Iterator[Layer]:
    """A layer of `host`, its files at the first of `places` where it can be. Afterwards nothing of it is on the host.

    Raises `InvalidInput` with the host's words where it cannot be.
    """
    clear(host)
    token = f"layer-{secrets.token_hex(8)}"
    try:
        yield Layer(host, _open(host, ground, places, token), token)
    finally:
        clear(host)


def clear(host: Host) -> None:
    """Afterwards there is no layer of `host`, and nothing of one on its disks."""
    host.run(("sh", "-c", CLEAR, "sh", HOME), timeout=_CLOSE_LIMIT)


def _open(host: RemoteHost, ground: Ground, places: Sequence[LayerDirectory], token: str) -> str:
    plan = "".join(f"{one.how}\t{one.path}\n" for one in ground.plan).encode("utf-8", "surrogateescape")
    said: Failure = InvalidInput(f"{host.name}: no place for a layer")
    for place in places:
        words = (HOME, token, place.directory, str(place.free), str(SILENCE), _KEEPER, _PARENT)
        try:
            return host.run(("sh", "-c", OPEN, "sh", *words), stdin=plan, timeout=_OPEN_LIMIT).text.strip()
        except CommandFailed as failure:
            said = failure
            clear(host)
    raise InvalidInput(said.output.strip() if isinstance(said, CommandFailed) else said.message)
