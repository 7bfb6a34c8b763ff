"""apt's cache on a fake host: which files stand there, and what a download brings."""

from collections.abc import Sequence

from nornir_upgrade.core import debname
from tests.fake import apt, files
from tests.fake.state import NOTHING_DONE, File, HostState

DIRECTORY = "/var/cache/apt/archives"
FULL = "cache is full"


def listed(state: HostState, names: Sequence[str]) -> str:
    """What `download_deb.LIST` prints."""
    return "".join(f"{name}\n" for name in names if f"{DIRECTORY}/{name}" in state.files)


def drop(state: HostState, names: Sequence[str]) -> None:
    """What `download_deb.DROP` does."""
    for name in names:
        state.files.pop(f"{DIRECTORY}/{name}", None)


def downloads(state: HostState, arguments: Sequence[str]) -> list[list[str]]:
    """The small steps of `download_deb.DOWNLOAD`: arguments as a preview's, then apt-get's. Raises `apt.Refusal`.

    There is room for one file where the state's `told` says `FULL`.
    """
    count = int(arguments[1])
    words = [*arguments[2 + 2 * count :]]
    assert words[:1] == ["-o"] and words[2] == "--download-only", words
    sources = [line for text in arguments[3 : 2 + 2 * count : 2] for line in text.splitlines()]
    releases = apt.releases_of([*apt.source_lines(state), *sources])
    solution = apt.solve(state, apt.install_request(state, words, releases))
    coming = [(name, version) for name, version in solution.changes.items() if version]
    fetched = [["fetch", debname.file_name(name, version, apt.arch_of(name, version))] for name, version in coming]
    return [*fetched[:1], ["full"]] if FULL in state.told else fetched


def fetch(state: HostState, name: str) -> tuple[int, bytes]:
    """One file comes."""
    files.put(state, f"{DIRECTORY}/{name}", File("file", data=name.encode()))
    return NOTHING_DONE


def full(state: HostState) -> tuple[int, bytes]:
    """No more files come."""
    return apt.FAILED, b"E: Write error - write (28: No space left on device)\n"
