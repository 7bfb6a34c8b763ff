"""apt as a fake host has it: what a request means for this host and these indexes, and the small steps that do it."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256

from nornir_upgrade.core.packaging.deb import apt
from nornir_upgrade.core.packaging.preview import EVERYTHING
from nornir_upgrade.core.transport.host import Result
from tests.fake.index import VERSIONS, Offer, Relation, compare, offer_of, offers, satisfies
from tests.fake.state import HostState, Installed

FAILED = 100  # apt-get(8), Diagnostics


class Refusal(Exception):
    """apt-get would end with status 100; the text is what it would say."""


@dataclass(slots=True)
class Request:
    """What stands on the command line: name -> version wanted ('' for the candidate), or `None` for removal."""

    words: dict[str, str | None]
    options: frozenset[str]
    releases: tuple[str, ...]


@dataclass(slots=True)
class Solution:
    """name -> version that should be installed (`None`: removed), of what changes; `auto`: those that nobody named."""

    changes: dict[str, str | None] = field(default_factory=dict)
    auto: set[str] = field(default_factory=set)


def releases_of(lines: Iterable[str]) -> tuple[str, ...]:
    """The releases that source lines mean, by the last part of their address."""
    words = [line.replace("[", " [").split("]")[-1].removeprefix("deb ").split() for line in lines]
    found = [line[0].rstrip("/").rpartition("/")[2] for line in words if line]
    return tuple(release for release in VERSIONS if release in found)


def install_request(state: HostState, arguments: list[str], releases: tuple[str, ...] | None = None) -> Request:
    """The request of `apt-get … install -- WORDS`."""
    cut = arguments.index("--")
    assert arguments[cut - 1] == "install", arguments
    words: dict[str, str | None] = {}
    for word in arguments[cut + 1 :]:
        name, _, version = word.partition("=")
        bare = name.removesuffix("-") if not version and _is_removal(name) else name
        words[bare.partition(":")[0]] = None if bare != name else version
    return Request(words, frozenset(arguments[:cut]), releases_of(indexes(state)) if releases is None else releases)


def previewed(state: HostState, words: Iterable[str], releases: tuple[str, ...]) -> Solution:
    """What a preview comes to: with the old names of what is renamed, and else without them. Raises `Refusal`."""
    asked = tuple(words)
    try:
        return solve(state, preview_request(state, asked, releases))
    except Refusal:
        return solve(state, preview_request(state, asked, releases, both=False))


def _named(word: str, known: Container[str], both: bool) -> list[str]:
    """The names that a word `old>new` stands for."""
    old, _, new = word.partition(">")
    if new not in known:
        return [old]
    return [old, new] if both else [new]


def preview_request(state: HostState, words: Iterable[str], releases: tuple[str, ...], *, both: bool = True) -> Request:
    """The request of a preview: words as `install` has them, or everything (`dist-upgrade`, which leaves alone what is held)."""
    known = {name for release in releases for name in offers(release)}
    names = [name for word in words for name in _named(word, known, both)]
    if tuple(names) == EVERYTHING:
        names = [name for name in state.packages if name in known and state.packages[name].selection != "hold"]
    return install_request(state, ["install", "--", *names], releases)


def narrowed(releases: tuple[str, ...], pins: str) -> tuple[str, ...]:
    """Those of `releases`, each a suite, that the pins let upgrade what is installed."""
    globs = [line.removeprefix("Pin: release a=") for line in pins.splitlines() if line.startswith("Pin: release a=")]
    return tuple(one for one in releases if not pins or any(fnmatchcase(one, glob) for glob in globs))


def _is_removal(word: str) -> bool:
    return word.endswith("-")


def candidates(request: Request, name: str) -> list[str]:
    """The versions of a package that the indexes hold, newest first."""
    found = [offers(release)[name].version for release in request.releases if name in offers(release)]
    return sorted(set(found), key=_Order, reverse=True)


class _Order:
    """A version as a sort key."""

    def __init__(self, version: str) -> None:
        self.version = version

    def __lt__(self, other: "_Order") -> bool:
        return compare(self.version, other.version) < 0


def solve(state: HostState, request: Request) -> Solution:
    """All that would change. Raises `Refusal`."""
    solution = Solution()
    for name, version in request.words.items():
        if version is None:
            if name in state.packages and state.packages[name].state != "config-files":
                solution.changes[name] = None
        else:
            _want(state, request, solution, name, version)
    for _ in range(100):
        if not _settle(state, request, solution):
            break
    else:
        raise Refusal("E: Unable to correct problems")
    _refuse_unasked(state, request, solution)
    return solution


def _want(state: HostState, request: Request, solution: Solution, name: str, version: str) -> None:
    present = state.packages.get(name)
    known = candidates(request, name) + ([present.version] if present and _present(state, name) else [])
    wanted = version or next(iter(sorted(set(known), key=_Order, reverse=True)), "")
    if wanted not in known or not wanted:
        raise Refusal(
            f"E: Version '{version}' for '{name}' was not found" if version else f"E: Unable to locate {name}"
        )
    if not present or present.version != wanted or present.broken or present.state != "installed":
        solution.changes[name] = wanted


def _settle(state: HostState, request: Request, solution: Solution) -> bool:
    """Mend the first relation that does not hold; whether there was one."""
    after = _after(state, solution)
    for name, version in after.items():
        offer = offer_of(name, version)
        for relation in offer.depends if offer else ():
            if not _holds(after, relation):
                _provide(state, request, solution, name, relation)
                return True
        for relation in (*offer.breaks, *offer.conflicts) if offer else ():
            if relation.name in after and relation.name != name and satisfies(after[relation.name], relation):
                _give_way(state, request, solution, relation)
                return True
    return False


def _provide(state: HostState, request: Request, solution: Solution, name: str, relation: Relation) -> None:
    gone = relation.name in solution.changes and solution.changes[relation.name] is None
    for version in () if gone else candidates(request, relation.name):
        if satisfies(version, relation) and request.words.get(relation.name, version) == version:
            if not _present(state, relation.name):
                solution.auto.add(relation.name)
            solution.changes[relation.name] = version
            return
    if name in request.words:
        raise Refusal(f"{name} : Depends: {relation.name} but it is not going to be installed")
    solution.changes[name] = None


def _give_way(state: HostState, request: Request, solution: Solution, relation: Relation) -> None:
    """What is broken is upgraded out of the way, else removed."""
    if request.words.get(relation.name):
        raise Refusal(f"{relation.name} : Conflicts")
    better = [version for version in candidates(request, relation.name) if not satisfies(version, relation)]
    solution.changes[relation.name] = better[0] if better else None


def _refuse_unasked(state: HostState, request: Request, solution: Solution) -> None:
    for name, version in solution.changes.items():
        present = state.packages.get(name)
        if present is None or not _present(state, name):
            continue
        changed = version != present.version
        if present.selection == "hold" and changed and "--allow-change-held-packages" not in request.options:
            raise Refusal("E: Held packages were changed and -y was used without --allow-change-held-packages.")
        if version and compare(version, present.version) < 0 and "--allow-downgrades" not in request.options:
            raise Refusal("E: Packages were downgraded and -y was used without --allow-downgrades.")
    for name, present in state.packages.items():
        if present.broken and name not in solution.changes:
            raise Refusal(f"E: The package {name} needs to be reinstalled, but I can't find an archive for it.")


def _present(state: HostState, name: str) -> bool:
    return (
        name in state.packages and state.packages[name].state != "config-files" and bool(state.packages[name].version)
    )


def _after(state: HostState, solution: Solution) -> dict[str, str]:
    now = {name: one.version for name, one in state.packages.items() if _present(state, name)}
    return {name: version for name, version in (now | solution.changes).items() if version}


def _holds(after: Mapping[str, str], relation: Relation) -> bool:
    if relation.name in after:
        return satisfies(after[relation.name], relation)
    offering = (offer_of(name, version) for name, version in after.items())
    return not relation.operator and any(offer and relation.name in offer.provides for offer in offering)


def simulated(state: HostState, solution: Solution) -> bytes:
    """What `apt-get -s` prints."""
    lines = ["NOTE: This is only a simulation!"]
    for name, version in solution.changes.items():
        if version is None:
            lines.append(f"Remv {name} [{state.packages[name].version}]")
    for name in _in_order(state, solution):
        version = solution.changes[name]
        old = f"[{state.packages[name].version}] " if _present(state, name) else ""
        lines.append(f"Inst {name} {old}({version} Lab Cloud:stable [{arch_of(name, version or '')}])")
    for name in _in_order(state, solution):
        lines.append(
            f"Conf {name} ({solution.changes[name]} Lab Cloud:stable [{arch_of(name, solution.changes[name] or '')}])"
        )
    return "\n".join(lines).encode() + b"\n"


def steps(state: HostState, request: Request, solution: Solution) -> list[list[str]]:
    """The small steps that make the solution true: removals, all unpacking, all configuring, then the marks."""
    order = _in_order(state, solution)
    queue = [["remove", name] for name, version in solution.changes.items() if version is None]
    for name in order:
        present = state.packages.get(name)
        if (
            present is None
            or present.version != solution.changes[name]
            or present.broken
            or present.state == "config-files"
        ):
            queue.append(["begin", name, "auto" if name in solution.auto else "manual"])
            queue.append(["unpack", name, solution.changes[name] or ""])
    queue += [["configure", name] for name in (*order, *(name for name in waiting(state) if name not in order))]
    return queue + [["mark", name, "manual"] for name, version in request.words.items() if version is not None]


def waiting(state: HostState) -> list[str]:
    """The packages that still have to be configured, each after those it depends on."""
    names = {name: one.version for name, one in state.packages.items() if one.state in ("unpacked", "half-configured")}
    return _in_order(state, Solution(dict(names)))


def source_lines(state: HostState, path: str = "") -> list[str]:
    """The lines of the source file at `path`, or of all, in the order of sources.list(5)."""
    every = ["/etc/apt/sources.list", *sorted(one for one in state.files if one.startswith("/etc/apt/sources.list.d/"))]
    paths = [path] if path else [one for one in every if one.endswith(".list")]
    texts = [state.files[one].data.decode() for one in paths if one in state.files]
    return [line for text in texts for line in text.splitlines() if line.startswith("deb ")]


def update(state: HostState, path: str) -> Result:
    """`apt-get update` for the source file at `path` alone: what it names is fetched, all other indexes stay."""
    lines = source_lines(state, path)
    if unknown := [line for line in lines if not releases_of([line])]:
        return Result(FAILED, b"", f"E: The repository '{unknown[0]}' does not have a Release file.".encode())
    state.lists = sorted({*state.lists, *lines})
    return Result(0, b"", b"")


def indexes(state: HostState) -> list[str]:
    """The source lines that apt-get works with: those it is told of, as far as their indexes were fetched."""
    return [line for line in source_lines(state) if line in state.lists]


def _in_order(state: HostState, solution: Solution) -> list[str]:
    """The packages to install, each after those it depends on."""
    done: list[str] = []

    def visit(name: str) -> None:
        version = solution.changes.get(name)
        if version and name not in done:
            offer: Offer | None = offer_of(name, version)
            for relation in offer.depends if offer else ():
                visit(relation.name)
            if name not in done:
                done.append(name)

    for name in solution.changes:
        visit(name)
    return done


def arch_of(name: str, version: str) -> str:
    """A package that was cut off at its first unpacking has an architecture, and no version yet."""
    offer = offer_of(name, version)
    known = any(name in offers(release) for release in VERSIONS)
    return offer.arch if offer else "all" if known else "amd64"


def package_lines(state: HostState) -> list[str]:
    """The lines of `apt.FORMAT`."""
    return [
        "\t".join((name, arch_of(name, one.version), one.version, one.selection, _flag(one), one.state))
        for name, one in sorted(state.packages.items())
    ]


def query(state: HostState) -> bytes:
    """What `apt.Apt.query` prints: the packages, then the names marked as automatic."""
    auto = sorted(name for name, one in state.packages.items() if one.auto)
    return "\n".join((*package_lines(state), apt._BEFORE_MARKS, *auto, apt._AFTER_MARKS)).encode() + b"\n"


def _flag(package: Installed) -> str:
    return "reinstreq" if package.broken else "ok"


def refused(refusal: Refusal) -> Result:
    """How apt-get ends then."""
    return Result(FAILED, b"", str(refusal).encode())


def shown(state: HostState, words: Iterable[str]) -> str:
    """What apt-cache shows of `name:arch=version`, for those that the host's repositories have."""
    releases, found = releases_of(indexes(state)), []
    for word in words:
        package, _, version = word.partition("=")
        name, _, arch = package.partition(":")
        if any(name in offers(one) and offers(one)[name].version == version for one in releases):
            digest = sha256(word.encode()).hexdigest()
            found.append(f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nSize: 9\nSHA256: {digest}\n\n")
    return "".join(found)
