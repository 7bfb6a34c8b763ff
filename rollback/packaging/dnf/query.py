"""Query of a host with dnf 4: the indexes that its repositories would have, the packages that dnf protects, and what rpm reports of the
installed packages.

The host's own dnf fetches and verifies, by its Python interface (dnf.readthedocs.io, API reference; run with 4.14), in directories of
our own: copies of the .repo files, with those in place that are asked for, and of what it has in its cache, so that only what has
expired is fetched anew. No plugin of dnf's is loaded, for these may write. dnf 5 has another interface, and is refused.
"""

from nornir_upgrade.core.packaging.rpm.dependencies import QUERY

# dnf says by its first line which Python it belongs to: on RHEL 8 none that is called so.
_SCRIPT = r"""
set -eu
program=$1; shift
head=$(head -n 1 -- "$(command -v dnf)" | tr -d '\0')
case $head in
'#!'*python*) ;;
*) echo 'this host has no dnf 4, which could be asked for its indexes' >&2; exit 1 ;;
esac
t=$(mktemp -d)
trap 'rm -rf -- "$t"' EXIT
${head#'#!'} -I -c "$program" "$t" "$@"
"""

# For Python 3.6, which is what RHEL 8 has. A repository of a file that we brought must answer; of the others dnf's own
# `skip_if_unavailable` decides, as it will when packages are fetched.
_PROGRAM = r"""
import base64, glob, hashlib, os, shutil, subprocess, sys
from xml.etree import ElementTree
import dnf

place, boundary, small, query = sys.argv[1:]
have, want, sources = set(), set(), {}
for line in sys.stdin:
    kind, one, two = (line.split() + ["", ""])[:3]
    if kind in ("have", "want"):
        (have if kind == "have" else want).add(one)
    else:
        path = base64.b64decode(one).decode("utf-8", "surrogateescape")
        sources[path] = None if kind == "absent" else base64.b64decode(two)

out = sys.stdout.buffer

def mark(name):
    out.write(("\n%s %s 0\n" % (boundary, name)).encode())

def put(path, data):
    with open(path, "wb") as file:
        file.write(data)

def get(path):
    with open(path, "rb") as file:
        return file.read()

def copied(directory, number):
    "The .repo files of a directory, with the sources in place; and which of them the host does not have like that."
    copy = os.path.join(place, "repos", str(number))
    os.makedirs(copy)
    for path in glob.glob(os.path.join(glob.escape(directory), "*.repo")):
        put(os.path.join(copy, os.path.basename(path)), get(path))
    fresh = set()
    for path, text in sources.items():
        mine = os.path.join(copy, os.path.basename(path))
        if os.path.dirname(path) == directory.rstrip("/"):
            if text is None:
                put(mine, b"")
            elif not os.path.exists(mine) or get(mine) != text:
                put(mine, text)
                fresh.add(mine)
    return copy, fresh

base = dnf.Base()
base.conf.read()
base.conf.substitutions.update_from_etc(base.conf.installroot)
cache, base.conf.cachedir = base.conf.cachedir, os.path.join(place, "cache")
base.conf.zchunk = False
directories = [copied(directory, number) for number, directory in enumerate(base.conf.reposdir)]
base.conf.reposdir = [copy for copy, _ in directories]
fresh = set().union(*(fresh for _, fresh in directories))
base.read_all_repos()

def load(repo):
    "Whether the repository's indexes are there afterwards."
    mine = repo._repo.getCachedir()
    known = os.path.join(cache, os.path.basename(mine))
    if os.path.isdir(known) and not (want and not glob.glob(glob.escape(known) + "/repodata/*filelists*")):
        shutil.copytree(known, mine, ignore=shutil.ignore_patterns("packages", "*.solv*"))
    if want:
        repo.add_metadata_type_to_download("filelists")
    try:
        repo.load()
    except dnf.exceptions.RepoError as error:
        sys.stderr.write("%s: %s\n" % (repo.id, error))
        if repo.repofile in fresh or not repo.skip_if_unavailable:
            sys.exit(1)
        return False
    return True

def listed(repo):
    "The digest of the list of files, which newer versions of dnf do not fetch; '' where it goes by another kind of digest."
    path = repo.get_metadata_path("filelists")
    if path:
        return hashlib.sha256(get(path)).hexdigest()
    about = ElementTree.parse(os.path.join(os.path.dirname(repo.get_metadata_path("primary")), "repomd.xml"))
    tag = "{http://linux.duke.edu/metadata/repo}"
    sums = about.findall("%sdata[@type='filelists']/%schecksum[@type='sha256']" % (tag, tag))
    return sums[0].text.strip() if sums else ""

def address(repo):
    return (list(repo.baseurl) or [repo.metalink or repo.mirrorlist or ""])[0]

def send(path):
    data = get(path)
    digest = hashlib.sha256(data).hexdigest()
    if digest in want:
        want.discard(digest)
        out.write(("%s %d\n" % (digest, len(data))).encode() + data)

repos = [one for one in sorted(base.repos.iter_enabled(), key=lambda one: (one.priority, one.cost, one.id)) if load(one)]
if want:
    for repo in repos:
        for kind in ("primary", "filelists"):
            if repo.get_metadata_path(kind):
                send(repo.get_metadata_path(kind))
    if want:
        sys.exit("an index is not there any more")
    sys.exit(0)

for number, repo in enumerate(repos):
    data = get(repo.get_metadata_path("primary"))
    digest = hashlib.sha256(data).hexdigest()
    words = ["%s %s" % (address(repo), repo.id), address(repo), repo.id, "", "", repo.name, "", "", digest, listed(repo)]
    out.write(("\t".join(" ".join(word.split()) for word in words) + "\n").encode("utf-8", "surrogateescape"))
    if len(data) <= int(small) and digest not in have:
        out.write(base64.b64encode(data))
    mark("index %d" % number)

for word in base.conf.installonlypkgs:
    out.write(("install-only\t%s\n" % word).encode())
for word in base.conf.protected_packages:
    out.write(("protected\t%s\n" % word).encode())
mark("dnf")

# Of the files those that an index tells of as well, and those that a dependency names: a host has a hundred times as many.
rows = subprocess.run(["rpm", "-qa", "--qf", query], stdout=subprocess.PIPE, check=True).stdout.split(b"\n")
named = set(word for row in rows if row[:2] in (b"R\t", b"C\t") and b"/" in row for word in row.replace(b"\t", b" ").split(b" "))
for row in rows[:-1]:
    path = row[2:]
    if row[:2] != b"F\t" or path[:5] == b"/etc/" or b"bin/" in path or path == b"/usr/lib/sendmail" or path in named:
        out.write(row + b"\n")
mark("present")
mark("end")
"""


def argv(boundary: str, small: int) -> tuple[str, ...]:
    """The command; `small` is the size in bytes up to which an index comes along."""
    return ("sh", "-c", _SCRIPT, "sh", _PROGRAM, boundary, str(small), QUERY)
