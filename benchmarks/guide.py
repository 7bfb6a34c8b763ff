"""The sample of the operations guide: 34 packages, by a shell loop as operators write it, and by `rollback compute`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import measure

ROUNDS = 5
_CASES = Path(__file__).parent.parent / "tests" / "cases" / "guide"
_NEW, _OLD = "havana", "grizzly"
_ARCHIVE = "http://archive.invalid/ubuntu precise-updates/{}/main amd64 Packages"
# One package after the other: its block of what apt-cache printed, the line before the release's, the version in it.
_LOOP = """\
for name in $(cut -f 1 selections.txt | sed 's/neutron/quantum/'); do
  printf '%s' "$name"
  sed -n "/^$name:\\$/,/^[^ ]/p" policy.txt | grep -B 1 grizzly | grep -v Packages | awk '{ print "=" $1 }'
done
"""


def run(directory: Path) -> Mapping[str, measure.Sample]:
    """Medians of both, which must print every pair that there is. Two packages have none: the loop glues their names to the next
    pair, `rollback` names them and ends with 21.
    """
    pairs = (_CASES / "versions.txt").read_text().splitlines()
    (directory / "selections.txt").write_text((_CASES / "selections.txt").read_text())
    (directory / "policy.txt").write_text("".join(_block(*pair.split("=", 1)) for pair in pairs))
    ours = [str(Path(sys.executable).parent / "rollback"), "compute", "--release", _OLD, "--rename", "neutron=quantum"]
    ours += ["--installed", "selections.txt", "--policy", "policy.txt", "--arch", "amd64"]
    tools = {"rollback compute": (ours, 21), "shell loop": (["bash", "-c", _LOOP], 0)}
    found = {}
    for name, (argv, status) in tools.items():
        taken = []
        for _ in range(ROUNDS + 1):  # the first warms the disk's cache
            sample, printed = measure.once(
                argv, directory=directory, environment={**os.environ, "LC_ALL": "C"}, status=status
            )
            if lacking := [pair for pair in pairs if pair not in printed]:
                raise measure.Failed(f"{name} did not print {lacking}")
            taken.append(sample)
        found[name] = measure.median(taken[1:])
    return found


def _block(name: str, version: str) -> str:
    """What `apt-cache policy` says of a package that was upgraded (apt-cache(8))."""
    newer = f"9:{version.rpartition(':')[2]}"
    installed = name.replace("quantum", "neutron")
    lines = [f"{name}:", f"  Installed: {newer}", f"  Candidate: {newer}", "  Version table:"]
    lines += [f" *** {newer} 0", f"        500 {_ARCHIVE.format(_NEW)}", "        100 /var/lib/dpkg/status"]
    lines += [f"     {version} 0", f"        500 {_ARCHIVE.format(_OLD)}", ""]
    if installed != name:
        lines += [f"{installed}:", *lines[1:7], ""]
    return "\n".join(lines)
