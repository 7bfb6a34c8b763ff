"""What a host with rpm and dnf 4 can give of .rpm files: out of dnf's cache, through its repositories, or rebuilt (`rpmrebuild`).

dnf's own library is asked, by the Python that dnf itself runs on, which may be as old as 3.6: dnf(8) cannot tell the digests that
an index names. Run for real with dnf 4.14 and rpm 4.18.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.file_source import GATHERED, FileOffer, held_of
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.packaging.rpm import rebuild as rpmrebuild
from nornir_upgrade.core.transport.disk import RESERVE, ROOM
from nornir_upgrade.core.version import evr, nevra

_END = "== end"

_PYTHON = """\
python=$(sed -n '1s/^#! *\\([^ ]*\\).*/\\1/p;q' "$(command -v dnf)")
"""

# Common to the Python of both questions: `wanted` are lists of name, epoch, version, release, architecture and file name.
_BASE = r"""
import glob, hashlib, os, shutil, subprocess, sys
import dnf, dnf.exceptions, dnf.rpm, hawkey

def digest_of(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            total.update(piece)
    return total.hexdigest()

def check_of(path):
    # rpmkeys(8): a bad digest or signature counts against a file, a key that is not there does not.
    said = subprocess.run(["rpmkeys", "--checksig", "--verbose", path], stdout=subprocess.PIPE, universal_newlines=True)
    lines = [line.strip() for line in said.stdout.splitlines()[1:]]
    if any(line.endswith((": BAD", ": NOTTRUSTED")) or ": BAD " in line for line in lines) or not lines:
        return ""
    return "signature" if any("Signature" in line and line.endswith(": OK") for line in lines) else "name"

def indexes():
    base = dnf.Base()
    base.conf.read()
    base.conf.substitutions.update_from_etc(base.conf.installroot, varsdir=base.conf.varsdir)
    if not base.conf.substitutions.get("releasever"):
        base.conf.releasever = dnf.rpm.detect_releasever(base.conf.installroot)
    base.read_all_repos()
    for repo in list(base.repos.iter_enabled()):
        try:
            repo.load()
        except dnf.exceptions.RepoError as error:
            print("lost", repo.id, str(error).replace("\n", " "), sep="\t")
            repo.disable()
    base.fill_sack(load_system_repo=False)
    return base

def find(base, name, epoch, version, release, arch):
    query = base.sack.query().available()
    return list(query.filter(name=name, epoch=int(epoch), version=version, release=release, arch=arch))

wanted = [line.rstrip("\n").split("\t") for line in sys.stdin] if len(sys.argv) < 3 else [word.split("\t") for word in sys.argv[3:]]
base = indexes()
"""

_LOOK_BODY = r"""
for *parts, name in wanted:
    places = glob.glob(os.path.join(glob.escape(base.conf.cachedir), "*", "packages", glob.escape(name)))
    for package in find(base, *parts):
        kind, digest = package.chksum
        digest = digest.hex() if kind == hawkey.CHKSUM_SHA256 else ""
        print("offered", name, digest, package.downloadsize, sep="\t")
        places.append(package.localPkg())
    for path in dict.fromkeys(filter(os.path.isfile, places)):
        print("cached", name, check_of(path), digest_of(path), os.path.getsize(path), path, sep="\t")
print("== end")
"""

_DOWNLOAD_BODY = r"""
directory = sys.argv[1]
due = {}
for *parts, name in wanted:
    for package in find(base, *parts)[:1]:
        due[name] = package
base.repos.all().pkgdir = directory
status = 0
try:
    base.download_packages(list(due.values()))
except dnf.exceptions.Error as error:
    status = 1
    print(str(error).replace("\n", " "))
for name, package in due.items():
    path = package.localPkg()
    if not os.path.isfile(path):
        continue
    place = os.path.join(directory, name)
    if os.path.dirname(path) != directory:  # of a repository that is a directory of this host
        shutil.copyfile(path, place)
    elif path != place:
        os.replace(path, place)
    check = check_of(place)
    if check:
        print("held", name, check, digest_of(place), os.path.getsize(place), sep="\t")
    else:
        print(name + ": its digests or signature are bad")
sys.exit(status)
"""

LOOK = f"""\
{_PYTHON}
exec "$python" -c "$1"
"""

JOB = f"""\
{ROOM}
{_PYTHON}
code=$3; directory=$1 room=$2; shift 3
exec "$python" -c "$code" "$directory" "$room" "$@"
"""


@dataclass(frozen=True, slots=True)
class DnfFileSource:
    """The depot of Red Hat Enterprise Linux 8 and 9 and their kin."""

    def look(self, files: Sequence[PackageFile]) -> tuple[tuple[str, ...], bytes]:
        return ("sh", "-c", LOOK, "sh", _BASE + _LOOK_BODY), "".join(f"{_fields(file)}\n" for file in files).encode()

    def parse_look(self, text: str, files: Sequence[PackageFile]) -> dict[PackageFile, FileOffer]:
        lines = text.splitlines()
        if not lines or lines[-1] != _END:
            raise InvalidInput(f"what can be had of package files is cut off at line {len(lines)}")
        rows = [line.split("\t") for line in lines[:-1]]
        offered: dict[str, list[list[str]]] = {}
        cached: dict[str, list[list[str]]] = {}
        for kind, *row in rows:
            if kind in ("offered", "cached"):
                {"offered": offered, "cached": cached}[kind].setdefault(row[0], []).append(row[1:])
        return {file: _offer(offered.get(file.file_name, []), cached.get(file.file_name, [])) for file in files}

    def download(self, files: Sequence[PackageFile], size: int) -> tuple[str, ...]:
        code = _BASE + _DOWNLOAD_BODY
        return ("sh", "-c", JOB, "sh", GATHERED, str(size + RESERVE), code, *map(_fields, files))

    def rebuild(self, file: PackageFile) -> tuple[str, ...]:
        return ("sh", "-c", JOB, "sh", GATHERED, str(RESERVE), rpmrebuild.CODE, _fields(file))


def _fields(file: PackageFile) -> str:
    version = evr.parse(file.version, "rpm")
    name, arch = nevra.check_name(file.name), nevra.check_arch(file.arch)
    return "\t".join((name, version.epoch or "0", version.upstream, version.revision, arch, file.file_name))


def _offer(offered: Sequence[Sequence[str]], cached: Sequence[Sequence[str]]) -> FileOffer:
    digests = tuple(dict.fromkeys(digest for digest, _ in offered if digest))
    size = int(offered[0][1]) if offered else 0
    for check, digest, length, path in cached:
        if check and (not digests or digest in digests):
            directory, _, name = path.rpartition("/")
            check = "index" if digest in digests and check == "name" else check
            held = held_of((name, check, digest, length), directory)
            return FileOffer(held, bool(offered), digests, held.size)
    return FileOffer(None, bool(offered), digests, size)
