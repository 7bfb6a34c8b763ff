"""Rehearsal by dnf: dnf simulates the way back before the way forward begins. A fixed script, and a parser of its output.

dnf reads its package database from rpm's directory. Ours is built from the headers that rpm has (`rpmdb --importdb`): without those
of packages to be removed, and with headers made from the indexes for packages to be installed. It is mounted over rpm's for this one
process (unshare(1)); no other process sees it. For an old version that no repository offers any longer, a repository is made of its
header. Run for real with rpm 4.18 and dnf 4.14.
"""

from collections.abc import Mapping, Sequence

from nornir_upgrade.core.errors import InvalidInput, UnsafeOrder
from nornir_upgrade.core.packaging.arrangement import Simulation
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.packaging.rpm import query
from nornir_upgrade.core.transport.host import Result, quote
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.core.version import evr, nevra

from . import arrangement, preview

FORMAT = query.FORMAT
UPDATE = preview.UPDATE
file_name = preview.file_name

# With the Python that dnf itself runs on, which may be as old as 3.6; there rpm's strings may be bytes.
_MAKE = r"""
import gzip, hashlib, os, subprocess, sys
from xml.sax.saxutils import quoteattr, escape
import dnf, dnf.rpm, rpm

root = sys.argv[1]
MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
SENSES = {"<": 2, ">": 4, "=": 8, "<=": 10, ">=": 12}
WORDS = {2: "LT", 4: "GT", 8: "EQ", 10: "LE", 12: "GE"}
DEMANDS = ("provide", "require", "conflict", "obsolete", "recommend", "suggest", "supplement", "enhance")

given = {}
for line in sys.stdin:
    kind, *parts = line.rstrip("\n").split("\t")
    given.setdefault(kind, []).append(tuple(parts))

def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

def identity(header):
    parts = (header["name"], header["arch"], header["epoch"] or 0, header["version"], header["release"])
    return tuple(str(text(part)) for part in parts)

def blob(header):
    data = bytes(header.unload())
    return data if data.startswith(MAGIC[:3]) else MAGIC + data

def indexes():
    base = dnf.Base()
    base.conf.read()
    base.conf.substitutions.update_from_etc(base.conf.installroot, varsdir=base.conf.varsdir)
    if not base.conf.substitutions.get("releasever"):
        base.conf.releasever = dnf.rpm.detect_releasever(base.conf.installroot)
    base.conf.reposdir, base.conf.cachedir = [root + "/repos"], root + "/cache"
    base.conf.persistdir, base.conf.logdir = root + "/persist", root + "/log"
    base.read_all_repos()
    for repo in base.repos.iter_enabled():
        repo._repo.setSyncStrategy(dnf.repo.SYNC_ONLY_CACHE)
    base.fill_sack(load_system_repo=False)
    return base

def find(base, name, arch, epoch, version, release):
    found = base.sack.query().available()
    return next(iter(found.filter(name=name, arch=arch, epoch=int(epoch), version=version, release=release)), None)

def parted(demand):
    words = [demand] if demand.startswith("(") else demand.split()
    return (words[0], SENSES[words[1]], words[2]) if len(words) == 3 else (demand, 0, "")

def header_of(package):
    header = rpm.hdr()
    header["name"], header["version"], header["release"] = package.name, package.version, package.release
    header["arch"], header["os"], header["sourcerpm"] = package.arch, "linux", package.sourcerpm or package.name + ".src.rpm"
    if package.epoch:
        header["epoch"] = package.epoch
    for kind in DEMANDS:
        rows = [parted(str(one)) for one in getattr(package, kind + "s")]
        if rows:
            header[kind + "name"], header[kind + "flags"], header[kind + "version"] = map(list, zip(*rows))
    files = [os.path.split(path) for path in package.files]
    if files:
        directories = list(dict.fromkeys(head.rstrip("/") + "/" for head, _ in files))
        header["dirnames"], header["basenames"] = directories, [base for _, base in files]
        header["dirindexes"] = [directories.index(head.rstrip("/") + "/") for head, _ in files]
    return header

def entries(header, kind):
    names, flags, versions = (header[kind + part] or [] for part in ("name", "flags", "version"))
    for name, flag, version in zip(names, flags, versions):
        name, version = text(name), text(version)
        if name.startswith("rpmlib("):
            continue
        told = ""
        if version and flag & 15:
            epoch, _, rest = version.rpartition(":")
            number, _, release = rest.partition("-")
            told = " flags=%s epoch=%s ver=%s" % tuple(map(quoteattr, (WORDS[flag & 14], epoch or "0", number)))
            told += " rel=%s" % quoteattr(release) if release else ""
        yield "<rpm:entry name=%s%s/>" % (quoteattr(name), told)

def described(header):
    name, arch, epoch, version, release = map(quoteattr, identity(header))
    demands = "".join("<rpm:%ss>%s</rpm:%ss>" % (kind, "".join(entries(header, kind)), kind) for kind in DEMANDS)
    files = "".join("<file>%s</file>" % escape(text(path)) for path in header["filenames"] or [])
    return (
        '<package type="rpm"><name>%s</name><arch>%s</arch><version epoch=%s ver=%s rel=%s/>'
        '<checksum type="sha256" pkgid="YES">%s</checksum><summary/><description/><packager/><url/>'
        '<time file="0" build="0"/><size package="1" installed="1" archive="1"/><location href="kept.rpm"/>'
        "<format><rpm:license/><rpm:vendor/><rpm:group/><rpm:buildhost/><rpm:sourcerpm>%s</rpm:sourcerpm>%s%s</format></package>"
    ) % (escape(text(header["name"])), escape(text(header["arch"])), epoch, version, release,
         hashlib.sha256(blob(header)).hexdigest(), escape(text(header["sourcerpm"]) or ""), demands, files)

def keep(headers):
    os.makedirs(root + "/kept/repodata")
    spaces = 'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"'
    primary = '<?xml version="1.0" encoding="UTF-8"?>\n<metadata %s packages="%d">%s</metadata>' % (
        spaces, len(headers), "".join(map(described, headers)))
    data = gzip.compress(primary.encode())
    with open(root + "/kept/repodata/primary.xml.gz", "wb") as file:
        file.write(data)
    with open(root + "/kept/repodata/repomd.xml", "w") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>'
                   '<data type="primary"><checksum type="sha256">%s</checksum><location href="repodata/primary.xml.gz"/>'
                   "<timestamp>1</timestamp><size>%d</size></data></repomd>" % (hashlib.sha256(data).hexdigest(), len(data)))
    with open(root + "/repos/nornir-upgrade-kept.repo", "w") as file:
        file.write("[nornir-upgrade-kept]\nname=kept\nbaseurl=file://%s/kept\nenabled=1\n" % root)

base = indexes()
gone, back = set(given.get("away", ())), set(given.get("back", ()))
stay, old = [], {}
for header in rpm.TransactionSet().dbMatch():
    if identity(header) in back:
        old[identity(header)] = header
    if identity(header) not in gone:
        stay.append(blob(header))
come = [find(base, *parts) for parts in given.get("come", ())]
stay += [blob(header_of(package)) for package in come if package]
subprocess.run(["rpmdb", "--dbpath", root + "/rpm", "--initdb"], check=True)
subprocess.run(["rpmdb", "--dbpath", root + "/rpm", "--importdb"], input=b"".join(stay), check=True)
lost = []
for parts, header in sorted(old.items()):
    if find(base, *parts):
        name, arch, epoch, version, release = parts
        print(name, arch, (epoch + ":" if epoch != "0" else "") + version + "-" + release, sep="\t")
    else:
        lost.append(header)
if lost:
    keep(lost)
"""

SCRIPT = (
    preview.PRIVATE
    + f"""\
if [ $status -ne 0 ]; then mark end 0; exit; fi
real=$(unset -f dnf; command -v dnf)
mkdir "$root/rpm" "$root/bin" || exit
cat > "$root/make.py" <<'END_OF_PYTHON' || exit
{_MAKE}
END_OF_PYTHON
heard "$(sed -n '1s/^#! *\\([^ ]*\\).*/\\1/p;q' "$real")" -I "$root/make.py" "$root"; told offered
heard rpm --dbpath "$root/rpm" -qa --qf {quote([FORMAT])}; told packages
cat > "$root/bin/dnf" <<EOF || exit
#!/bin/sh
exec $real -C --setopt=reposdir="$root/repos" --setopt=cachedir="$root/cache" --setopt=persistdir="$root/persist" \\\\
  --setopt=logdir="$root/log" --setopt=pluginconfpath="$root/plugins" --setopt='*.skip_if_unavailable=False' "\\$@"
EOF
chmod 700 "$root/bin/dnf" && [ -x "$root/bin/dnf" ] || {{ echo "$root: no program may run there (noexec)" >&2; exit 1; }}
[ ! -d "$root/kept" ] || dnf -q --repo nornir-upgrade-kept makecache >&2
PATH=$root/bin:$PATH
database=$(readlink -f "$(rpm --eval %_dbpath)")
cat > "$root/told.py" <<'END_OF_PYTHON' || exit
{arrangement.TOLD}
END_OF_PYTHON
there() {{
  unshare --mount sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$root/rpm" "$database" "$@"
}}
heard there "$@"; told said
if [ $status -eq 0 ]; then
  heard there "$(sed -n '1s/^#! *\\([^ ]*\\).*/\\1/p;q' "$real")" -I "$root/told.py" "$root" "$@"; told question
fi
mark end 0
"""
)


def present(section: Section) -> tuple[Package, ...]:
    """The packages of the state that was made up."""
    rows = [query.row(line) for _, line in section.succeeded().lines()]
    return tuple(Package(row.name, row.arch, row.evr, "installed", "install", auto=False) for row in rows if row.arch)


def unsafe(host: str, sections: Mapping[str, Section]) -> str:
    """Why the way back cannot be carried out in transactions that keep the host usable; '' where it can."""
    if "question" not in sections:
        return ""
    try:
        arrangement.arrange(host, Simulation(Result(0, b"", b""), sections["question"].succeeded().text))
    except UnsafeOrder as refusal:
        return refusal.message
    return ""


def given(kind: str, package: Package) -> Sequence[str]:
    """What the script is told of one package."""
    version = evr.parse(package.version, "rpm")
    if not version.revision:
        raise InvalidInput(f"{package.name} {package.version} has no release")
    return (
        kind,
        nevra.check_name(package.name),
        nevra.check_arch(package.arch),
        version.epoch or "0",
        version.upstream,
        version.revision,
    )
