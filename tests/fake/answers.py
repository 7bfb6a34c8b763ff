"""The scripts that answer many questions in one round trip: facts, previews of transactions, and the way back rehearsed."""

from collections.abc import Iterable
from hashlib import sha256
from time import time

from nornir_upgrade.core.state import entries, places
from nornir_upgrade.core.transport.host import FileState, Result
from tests.fake import apt, database, dpkg, files
from tests.fake.index import VERSIONS, offer_of, offers
from tests.fake.state import File, HostState, Installed

_ROOMS = {"/": "/", "/usr": "/", "/var/cache/apt/archives": "/var", "/var/lib/nornir-upgrade": "/var"}
_SYSTEM = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
_KEYRINGS = ("/etc/apt/", "/usr/share/keyrings/")


def facts(state: HostState, boundary: str, databases: Iterable[str]) -> Result:
    """What `facts.SCRIPT` prints. apt-cache fails as the state's `told` says of `policy`: status, blank, complaint."""
    answer = _Answer(boundary, f"facts 1 {boundary}\n")
    answer.part("begin", "")
    answer.part("os", _SYSTEM)
    answer.part("kernel", "6.1.0-fake\n")
    answer.part("machine", sha256(state.name.encode()).hexdigest()[:32] + "\n")
    answer.part("packages", "\n".join(_with_conffiles(state)) + "\n")
    answer.part("states", "")
    answer.part("auto", "".join(f"{name}\n" for name, one in sorted(state.packages.items()) if one.auto))
    status, _, said = state.told.get("policy", "0 ").partition(" ")
    answer.part("policy", "" if said else _policy(state), int(status))
    answer.part("digests", "".join(f"{sha256(file.data).hexdigest()}  {path}\0" for path, file in _digested(state)))
    answer.part("units", "".join(_unit(name, one.active) for name, one in sorted(state.services.items())))
    links = "/etc/systemd/system/multi-user.target.wants/{0}.service\t/usr/lib/systemd/system/{0}.service\n"
    answer.part("links", "".join(links.format(name) for name, one in state.services.items() if one.enabled))
    answer.part("files", "".join(f"/usr/lib/systemd/system/{name}.service\n" for name in state.services))
    for part, told in _beside_packages(state).items():
        answer.part(part, told)
    for name in databases:
        known = name in state.databases
        text = database.text_of(name, state.databases[name]) if known else b""
        answer.part(f"database {name}", f"{sha256(text).hexdigest()}  -\n", 0 if known else 2)
    return answer.result(said)


def _beside_packages(state: HostState) -> dict[str, str]:
    """What `entries.SCRIPT` prints."""
    found = [one for one in files.survey(state, places.roots(restored=False)) if not places.left(one.path)]
    letters = {"file": "f", "directory": "d", "symlink": "l"}
    told = [(one.path, letters[one.kind], one.mode or "0777", f"{one.owner}:{one.group}", one.target) for one in found]
    said = dict.fromkeys(entries.PARTS, "")
    said["entries"] = "".join(f"{field}\0" for record in told for field in record)
    said["entry-digests"] = "".join(f"{one.digest}  {one.path}\0" for one in found if one.kind == "file")
    said["xattrs"] = "".join(_with_xattrs(one) for one in found if one.xattrs)
    for name in ("passwd", "group"):
        lines = state.files.get(f"/etc/{name}", File("file")).data.decode().splitlines()
        said[name] = "".join(
            f"{one}:{rest.partition(':')[2]}\n" for one, _, rest in (line.partition(":") for line in lines)
        )
    said["statoverride"] = state.files.get("/var/lib/dpkg/statoverride", File("file")).data.decode()
    return said


def _with_xattrs(one: FileState) -> str:
    lines = "".join(f"  x: {len(value) // 2} {name}\n" for name, value in one.xattrs)
    return f"-rw-r--r--* 0/0 0 2026-01-01 00:00 {one.path}\n{lines}"


def inspection(state: HostState, boundary: str, _defaults: str, query: str) -> Result:
    """What `inspection.SCRIPTS["deb"]` prints: of a host in order, but for what the state's `told` says (status, blank, text)."""
    rooms = "".join(f"{path}\t{1 << 40} {1 << 20} {1 << 20} {mount}\n" for path, mount in _ROOMS.items())
    keys = [line.split("\t")[:2] for line in apt.package_lines(state)]
    wanted = [name for name in state.databases if f"'{name}'" in query]
    in_order = {
        "clock": f"{time():.9f}",
        "rooms": rooms,
        "work": "",
        "sizes": "".join(f"{name}\t{arch}\t100\n" for name, arch in keys),
        "edited": "",
        "state": "1000\n",
        "offered": "".join(f"{name}\t{one.version}\n" for name, one in sorted(state.packages.items())),
        "unchecked": "",
        "asked": "",
        "databases": "".join(f"{name}\t{len(database.text_of(name, state.databases[name]))}\n" for name in wanted),
    }
    answer = _Answer(boundary, f"inspection 1 {boundary}\n")
    answer.part("begin", "")
    for part, text in in_order.items():
        status, _, said = state.told.get(part, f"0 {text}").partition(" ")
        answer.part(part, said, int(status))
    return answer.result()


def preview(state: HostState, boundary: str, arguments: list[str]) -> Result:
    """What `preview.SCRIPT` prints: FORMAT, number of files, (name, text) of each, and the requests."""
    count = int(arguments[1])
    given = {f"/etc/apt/sources.list.d/{name}": text for name, text in _pairs(arguments[2 : 2 + 2 * count])}
    known = state.files | {path: File("file", data=text.encode()) for path, text in given.items()}
    lines = apt.source_lines(HostState(state.name, known))
    unknown = [line for line in lines if not apt.releases_of([line])]
    answer = _Answer(boundary)
    answer.part("begin", "")
    answer.part(
        "update", f"E: The repository '{unknown[0]}' does not have a Release file.\n" if unknown else "", len(unknown)
    )
    answer.part("packages", "".join(f"{line}\n" for line in apt.package_lines(state)))
    for number, (words, narrow) in enumerate(_pairs(arguments[2 + 2 * count :]) if not unknown else ()):
        releases = apt.narrowed(apt.releases_of(lines), narrow)
        try:
            said, status = apt.simulated(state, apt.previewed(state, words.split(), releases)).decode(), 0
        except apt.Refusal as refusal:
            said, status = f"{refusal}\n", apt.FAILED
        answer.part(str(number), said, status)
    return answer.result()


def rehearsal(state: HostState, boundary: str, arguments: list[str], stdin: bytes) -> Result:
    """What `rehearsal_deb.SCRIPT` prints: arguments as a preview's, the simulation in place of requests, and the made-up state."""
    count = int(arguments[1])
    lines = apt.source_lines(state) + [
        line for text in arguments[3 : 2 + 2 * count : 2] for line in text.splitlines() if line
    ]
    answer = _Answer(boundary)
    answer.part("begin", "")
    if unknown := [line for line in lines if not apt.releases_of([line])]:
        answer.part("update", f"E: The repository '{unknown[0]}' does not have a Release file.\n", apt.FAILED)
        return answer.result()
    answer.part("update", "")
    after, back = _made_up(state, stdin.decode().splitlines())
    releases = apt.releases_of(lines)
    offered = [row for row in back if any(row[2] == _version(release, row[0]) for release in releases)]
    known = tuple(one for one in VERSIONS if one in releases or any(_version(one, row[0]) == row[2] for row in back))
    answer.part("packages", "".join(f"{line}\n" for line in apt.package_lines(after)))
    answer.part("offered", "".join("\t".join(row) + "\n" for row in offered))
    try:
        solution = apt.solve(after, apt.install_request(after, arguments[2 + 2 * count + 1 :], known))
        said, status = apt.simulated(after, solution).decode(), 0
    except apt.Refusal as refusal:
        said, status = f"{refusal}\n", apt.FAILED
    answer.part("said", said, status)
    return answer.result()


def _made_up(state: HostState, given: list[str]) -> tuple[HostState, list[tuple[str, str, str]]]:
    after, back = HostState(state.name, state.files, dict(state.packages)), []
    for kind, name, arch, version, selection in (line.split("\t") for line in given):
        match kind:
            case "come":
                after.packages[name] = Installed(version, selection=selection)
            case "gone":
                after.packages[name] = Installed(version, "config-files", "deinstall")
            case "away":
                after.packages.pop(name)
            case "back":
                back.append((name, arch, version))
    return after, back


def _version(release: str, name: str) -> str:
    return offers(release)[name].version if name in offers(release) else ""


def belongings(state: HostState, boundary: str, stdin: bytes) -> Result:
    """What `belongings.SCRIPTS["deb"]` prints: every package here has a postrm that deletes its data, and its units."""
    answer, said = _Answer(boundary), ""
    for line in stdin.decode().splitlines():
        name = line.partition("\t")[0]
        if name in state.packages:
            offer = offer_of(name, state.packages[name].version)
            said += f"package\t{line}\npostrm%rm -rf {dpkg.DATA}/{name}\n"
            said += "".join(f"unit%/usr/lib/systemd/system/{unit}.service\n" for unit in (offer.units if offer else ()))
    for part, text in (("named", said), ("owned", ""), ("users", "root:x:0:0:root:/root:/bin/sh\n")):
        answer.part(part, text)
    return answer.result()


def look(state: HostState, boundary: str, stdin: bytes) -> Result:
    """What `belongings.LOOK` prints: the first file below each place."""
    answer, said = _Answer(boundary), ""
    for line in stdin.decode().splitlines():
        below = [one.path for one in files.walk(state, [line.partition("\t")[2]]) if one.kind == "file"]
        said += f"{line}\t{below[0]}\n" if below else ""
    answer.part("found", said)
    return answer.result()


class _Answer:
    """Parts that end with a boundary, as `sections.SHELL` marks them."""

    def __init__(self, boundary: str, head: str = "") -> None:
        self._boundary = boundary
        self._text = head

    def part(self, name: str, text: str, status: int = 0) -> None:
        self._text += f"{text}\n{self._boundary} {name} {status}\n"

    def result(self, errors: str = "") -> Result:
        self.part("end", "")
        return Result(0, self._text.encode(), errors.encode())


def _pairs(words: list[str]) -> Iterable[tuple[str, str]]:
    return zip(words[::2], words[1::2], strict=True)


def _with_conffiles(state: HostState) -> Iterable[str]:
    for line in apt.package_lines(state):
        yield line
        yield from (f" {path} {digest}" for path, digest in state.packages[line.partition("\t")[0]].conffiles.items())
        yield ""


def _policy(state: HostState) -> str:
    lines = ["Package files:"]
    for release in apt.releases_of(apt.indexes(state)):
        lines.append(f" 500 http://10.99.0.1:8000/{release} {release}/main all Packages")
        lines.append(f"     release o=Lab Cloud,a={release},n={release},l=Lab Cloud Archive,c=main,b=all")
        lines.append("     origin 10.99.0.1")
    return "\n".join([*lines, "Pinned packages:"]) + "\n"


def _digested(state: HostState) -> Iterable[tuple[str, File]]:
    conffiles = {path for one in state.packages.values() for path in one.conffiles}
    found = ((path, file) for path, file in sorted(state.files.items()) if file.kind == "file")
    return ((path, file) for path, file in found if path in conffiles or path.startswith(_KEYRINGS))


def _unit(name: str, active: bool) -> str:
    return f"{name}.service loaded {'active running' if active else 'inactive dead'} a daemon\n"
