"""Two programs that know rpm's dependencies, as referees: libsolv, which dnf decides by, and librpm, which has the last word.

libsolv says of a set of packages whether it can be installed, with everything that counts. librpm says whether all Requires and
Conflicts within a set are met; it knows no rule against two versions of one name, and looks at Obsoletes only of what is installed.
"""

import json
import subprocess
from collections.abc import Collection, Iterable, Sequence

import solv

from nornir_upgrade.core.packaging.rpm.dependencies import Rpm
from nornir_upgrade.core.packaging.rpm.rich_dependencies import Capability, Dependency

_SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has Debian's python3-rpm
_RELATIONS = {
    "<": solv.REL_LT,
    "<=": solv.REL_LT | solv.REL_EQ,
    "=": solv.REL_EQ,
    ">=": solv.REL_GT | solv.REL_EQ,
    ">": solv.REL_GT,
}


def libsolv(rpms: Iterable[Rpm], install_only: Collection[str] = ()) -> list[str]:
    """What libsolv, set up as by dnf, has against installing all of these and nothing else; nothing where they are consistent."""
    pool = solv.Pool()  # must outlive whatever came from it
    pool.setarch("x86_64")
    pool.set_flag(pool.POOL_FLAG_IMPLICITOBSOLETEUSESCOLORS, 1)
    repository = pool.add_repo("all")
    solvables = [_solvable(pool, repository, one) for one in rpms]
    pool.addfileprovides()
    pool.createwhatprovides()
    jobs = [pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE, one.id) for one in solvables]
    for name in install_only:
        jobs.append(pool.Job(solv.Job.SOLVER_MULTIVERSION | solv.Job.SOLVER_SOLVABLE_NAME, pool.str2id(name)))
    solver = pool.Solver()
    return [str(problem) for problem in solver.solve(jobs)]


def _solvable(pool, repository, one: Rpm):  # type: ignore[no-untyped-def]
    found = repository.add_solvable()
    found.name, found.evr, found.arch = one.name, one.version, one.arch
    for given in (one.itself, *one.provides):
        found.add_provides(_dep(pool, given))
    for path in sorted(one.files):  # as provided: an index made by hand has no list of files
        found.add_provides(pool.Dep(path))
    for demand in one.requires:
        found.add_requires(_dep(pool, demand))
    for demand in one.conflicts:
        found.add_conflicts(_dep(pool, demand))
    for demand in one.obsoletes:
        found.add_obsoletes(_dep(pool, demand))
    return found


def _dep(pool, one: Dependency):  # type: ignore[no-untyped-def]
    if not isinstance(one, Capability):
        return pool.parserpmrichdep(str(one))
    name = pool.Dep(one.name)
    return name.Rel(_RELATIONS[one.op], pool.Dep(one.version)) if one.op else name


_CHECK = """
import json, rpm, sys, tempfile
flags = {"": 0, "<": rpm.RPMSENSE_LESS, "=": rpm.RPMSENSE_EQUAL, ">": rpm.RPMSENSE_GREATER}
def header(one):
    found = rpm.hdr()
    found[rpm.RPMTAG_NAME], found[rpm.RPMTAG_ARCH] = one["name"], one["arch"]
    found[rpm.RPMTAG_OS], found[rpm.RPMTAG_SOURCERPM] = "linux", "source"
    epoch, _, rest = one["version"].rpartition(":")
    found[rpm.RPMTAG_VERSION], found[rpm.RPMTAG_RELEASE] = rest.split("-")
    if epoch:
        found[rpm.RPMTAG_EPOCH] = int(epoch)
    for tag in ("PROVIDE", "REQUIRE", "CONFLICT"):
        rows = one[tag]
        if rows:
            found[getattr(rpm, "RPMTAG_" + tag + "NAME")] = [name for name, _, _ in rows]
            found[getattr(rpm, "RPMTAG_" + tag + "FLAGS")] = [sum(flags[sign] for sign in op) for _, op, _ in rows]
            found[getattr(rpm, "RPMTAG_" + tag + "VERSION")] = [version for _, _, version in rows]
    return found
with tempfile.TemporaryDirectory() as directory:
    rpm.addMacro("_dbpath", directory)
    for line in sys.stdin:
        transaction = rpm.TransactionSet("/", -1)
        for one in map(header, json.loads(line)):
            transaction.addInstall(one, (one, ""), "i")
        transaction.check()
        print(json.dumps([str(problem) for problem in transaction.problems()]), flush=True)
"""


def librpm(sets: Iterable[Sequence[Rpm]]) -> list[list[str]]:
    """For each set what librpm has against Requires and Conflicts within it. One process for all."""
    asked = "".join(json.dumps([_row(one) for one in rpms]) + "\n" for rpms in sets)
    done = subprocess.run(
        (_SYSTEM_PYTHON, "-c", _CHECK), input=asked, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _row(one: Rpm) -> dict[str, object]:
    provides = (one.itself, *one.provides, *map(Capability, sorted(one.files)))
    lists = {"PROVIDE": provides, "REQUIRE": one.requires, "CONFLICT": one.conflicts}
    return {"name": one.name, "arch": one.arch, "version": one.version} | {
        tag: [_triple(each) for each in given] for tag, given in lists.items()
    }


def _triple(one: Dependency) -> tuple[str, str, str]:
    return (one.name, one.op, one.version) if isinstance(one, Capability) else (str(one), "", "")
