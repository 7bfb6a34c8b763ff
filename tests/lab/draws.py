"""Random sets of Debian's packages on a host, by seed: what an ordinary server might carry that nobody prepared."""

import random
import re
from dataclasses import dataclass

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.lab.lab import Lab

SMALLEST, LARGEST = 300, 900
_AT_A_TIME = 8
_SLACK = 60
_AT_LEAST = 100  # packages that come to those of the base, which may have more than the smallest set
# What would only make it slow (games' data, debuggers, whole desktops), or is about a kernel that the lab's hosts do not have.
_AWK = r"""
BEGIN { RS = ""; FS = "\n" }
{
  name = size = section = ""
  for (at = 1; at <= NF; at++) {
    if ($at ~ /^Package: /) name = substr($at, 10)
    else if ($at ~ /^Installed-Size: /) size = substr($at, 17)
    else if ($at ~ /^Section: /) section = substr($at, 10)
  }
  if (size + 0 < 15000 && section !~ /^(kernel|debug|games|gnome|kde|x11|metapackages)$/ && name !~ /^linux-|-dbg|dkms/) print name
}
"""
_INSTALLS = re.compile(r"^Inst (\S+)", re.M)
_DENY = "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"


@dataclass(frozen=True)
class Draw:
    """What was installed by `seed`: `asked` for by name, and how many packages the host has then."""

    seed: int
    asked: tuple[str, ...]
    packages: int


def draw(lab: Lab, host: str, seed: int) -> Draw:
    """Afterwards the host, which is reset before, carries a random set of packages. What cannot be installed is drawn again."""
    rnd = random.Random(seed)
    lab.reset(host)
    size = rnd.randint(max(SMALLEST, _count(lab, host) + _AT_LEAST), LARGEST)
    while True:
        lab.reset(host)
        _text(lab, host, "apt-get -q update")
        asked = _asked(lab, host, rnd, size)
        try:
            words = " ".join(asked)
            _text(lab, host, f"{_DENY}; apt-get -y -q install {words} </dev/null >/dev/null; rm /usr/sbin/policy-rc.d")
            _text(lab, host, 'apt-get clean; test -z "$(dpkg --audit)"')
        except CommandFailed:
            continue
        return Draw(seed, asked, _count(lab, host))


def _asked(lab: Lab, host: str, rnd: random.Random, size: int) -> tuple[str, ...]:
    names = sorted(set(_text(lab, host, f"apt-cache dumpavail | awk '{_AWK}'").split()))
    asked: tuple[str, ...] = ()
    here = _count(lab, host)
    more = 0
    while here + more < size - _SLACK:
        pick = (*asked, *rnd.sample(names, _AT_A_TIME if here + more < size - 200 else 2))
        done = lab.run(host, ["apt-get", "-s", "install", *pick], check=False)
        said = done.stdout.decode()
        comes = len(_INSTALLS.findall(said))
        if done.returncode == 0 and "Remv " not in said and here + comes <= size:
            asked, more = pick, comes
    return asked


def _count(lab: Lab, host: str) -> int:
    return len(_text(lab, host, "dpkg-query -Wf '${db:Status-Status}\\n' | grep -x installed").splitlines())


def _text(lab: Lab, host: str, script: str) -> str:
    argv = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "bash", "-euo", "pipefail", "-c", script]
    return lab.run(host, argv, timeout=1800).stdout.decode()
