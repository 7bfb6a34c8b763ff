"""Arrangement by dnf: the transactions that carry out a change: one if it keeps the host usable at every moment, else several.

If the vital set may be concerned, the simulation also fetches what installed and new packages require and provide, in one round
trip. dnf reports this, of repositories and of delivered files alike.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput, UnsafeOrder
from nornir_upgrade.core.packaging.arrangement import SIMULATION_LIMIT, Arrangement, Simulation
from nornir_upgrade.core.packaging.package_file import DELIVERED
from nornir_upgrade.core.packaging.rpm import split as rpm_split
from nornir_upgrade.core.packaging.rpm.dependencies import RpmPackage, rows
from nornir_upgrade.core.packaging.rpm.transition import RpmTransition, change
from nornir_upgrade.core.packaging.rpm.vital import PATTERN, concerned
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.transport.sections import SHELL, Section, new_boundary, split
from nornir_upgrade.core.transport.unreadable import unreadable
from nornir_upgrade.core.version.nevra import parse

from . import dnf4

# With the Python that dnf itself runs on, which may be as old as 3.6. Its arguments are the directory of a rehearsal, or '', and the
# simulation, which has the plan. Of files only those are told that something requires by path.
TOLD = f"""\
import glob, json, re, sys
import hawkey
root, words = sys.argv[1], sys.argv[2:]
end = words.index("dnf")
begin = next(at for at in range(end - 1, 0, -1) if words[at] == str(end - 1 - at))
plan = json.loads("".join(words[begin + 1 : end]))["rpms"]
names = [hawkey.split_nevra(row["nevra"]).name for row in plan]
if not any(re.fullmatch(r"{PATTERN}", name) for name in names):
    sys.exit()
import dnf, dnf.rpm
base = dnf.Base()
base.conf.read()
base.conf.substitutions.update_from_etc(base.conf.installroot, varsdir=base.conf.varsdir)
if not base.conf.substitutions.get("releasever"):
    base.conf.releasever = dnf.rpm.detect_releasever(base.conf.installroot)
if root:
    base.conf.reposdir, base.conf.cachedir = [root + "/repos"], root + "/cache"
    base.conf.persistdir, base.conf.logdir = root + "/persist", root + "/log"
base.read_all_repos()
for repo in base.repos.iter_enabled():
    repo._repo.setSyncStrategy(dnf.repo.SYNC_ONLY_CACHE)
    repo.skip_if_unavailable = True
base.fill_sack()
if not root:
    base.add_remote_rpms(sorted(glob.glob("{DELIVERED}/*.rpm")))
def one(text):
    parts = hawkey.split_nevra(text)
    found = base.sack.query().available().filter(
        name=parts.name, epoch=parts.epoch or 0, version=parts.version, release=parts.release, arch=parts.arch)
    return next(iter(found), None) or sys.exit("cannot tell what " + text + " requires")
there = list(base.sack.query().installed())
come = [one(row["nevra"]) for row in plan if row["action"] in {dnf4.CAME}]
paths = {{str(demand) for package in there + come for demand in package.requires if str(demand).startswith("/")}}
KINDS = (("R", "requires"), ("P", "provides"), ("C", "conflicts"), ("O", "obsoletes"))
def tell(package):
    print("N", package.name, package.epoch, package.version, package.release, package.arch, sep="\\t")
    for letter, kind in KINDS:
        for demand in getattr(package, kind):
            print(letter, demand, "", "", sep="\\t")
    for path in sorted(paths.intersection(package.files)):
        print("F", path, sep="\\t")
    print("E")
print(json.dumps(plan))
for package in there:
    tell(package)
print()
for package in come:
    tell(package)
"""

# `$1` is the program above; the simulation follows.
_ASK = (
    SHELL
    + """\
program=$1; shift
mark begin 0
exec 3>&1
said=$("$@" 2>&1 >&3 3>&-); status=$?
exec 3>&-
mark said $status
printf '%s\\n' "$said"; mark errors 0
python=$(sed -n '1s/^#! *\\([^ ]*\\).*/\\1/p;q' "$(command -v dnf)")
[ $status -ne 0 ] || { "$python" -I -c "$program" '' "$@"; mark packages $?; }
mark end 0
"""
)


@dataclass(frozen=True, slots=True)
class PartedArrangement(Arrangement):
    """`parts`: full names of packages, a transaction each, where a single one is not safe."""

    parts: tuple[frozenset[str], ...] = ()


def simulate(host: Host, argv: Sequence[str]) -> Simulation:
    """What `argv`, a simulation, says; with all packages before and after it where the vital set may be concerned."""
    if not concerned(parse(row["nevra"]).name for row in dnf4.rows(dnf4.handed(argv))):
        return Simulation(host.run(argv, timeout=SIMULATION_LIMIT, check=False))
    boundary = new_boundary()
    asked = ("sh", "-c", _ASK, "sh", boundary, TOLD, *argv)
    done = host.run(asked, timeout=SIMULATION_LIMIT, check=False)
    if done.status != 0:
        return Simulation(done)
    try:
        return _read(split(done.text, boundary))
    except InvalidInput as refusal:
        raise unreadable(host.name, "what dnf says of packages", refusal, done.errors) from None


def _read(sections: Mapping[str, Section]) -> Simulation:
    section = sections["said"]
    result = Result(
        section.status, *(sections[name].text.encode("utf-8", "surrogateescape") for name in ("said", "errors"))
    )
    return Simulation(result, sections["packages"].succeeded().text if "packages" in sections else "")


def arrange(host: str, simulation: Simulation) -> Arrangement:
    """The transactions of the simulated change. Raises `UnsafeOrder` where none are known that keep the host usable."""
    if not simulation.question.strip():
        return Arrangement()
    due = asked(simulation.question)
    parted = rpm_split.split(due)
    if parted.faults:
        raise UnsafeOrder(
            f"{host}: no order of transactions keeps this host usable: {'; '.join(parted.faults[:3])}",
            hint="nothing was done; change fewer packages at a time",
        )
    if len(parted.parts) < 2:
        return Arrangement()
    worlds = (due.before, due.after)
    parts = (frozenset(world[slot] for slot in part for world in worlds if slot in world) for part in parted.parts)
    return PartedArrangement(tuple(frozenset(map(_full_name, part)) for part in parts))


def asked(text: str) -> RpmTransition:
    """The change of which `TOLD` tells: the plan, all packages that are installed, and those that come."""
    plan, _, packages = text.partition("\n")
    there, separator, come = packages.partition("\n\n")
    if not separator:
        raise InvalidInput("the list of packages is cut off")
    before = [entry.rpm for entry in rows(f"{there}\n", "dnf")]
    goes = {_canonical(row["nevra"]) for row in json.loads(plan) if row["action"] in dnf4.WENT}
    after = [rpm for rpm in before if _full_name(rpm) not in goes]
    return change(before, [*after, *(entry.rpm for entry in rows(come.rstrip("\n") + "\n", "dnf"))])


def _canonical(text: str) -> str:
    row = parse(text)
    return f"{row.name}-{row.evr}.{row.arch}"


def _full_name(rpm: RpmPackage) -> str:
    return f"{rpm.name}-{rpm.version}.{rpm.arch}"
