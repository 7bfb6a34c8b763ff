"""The controller of the operations guide: its 34 selections, what apt knows of them, and the 32 pairs that take it back."""

from collections.abc import Iterable, Mapping
from pathlib import Path

CASES = Path(__file__).parents[1] / "cases" / "guide"
NAMES = tuple(line.split()[0] for line in (CASES / "selections.txt").read_text().splitlines())
PAIRS = (CASES / "versions.txt").read_text()
OLD: Mapping[str, str] = dict(line.split("=") for line in PAIRS.splitlines())

HAVANA, NEWER = "1:2013.2-0ubuntu1~cloud0", "1:9.9.9-0ubuntu1~cloud0"
_ARCHIVE = "http://ubuntu-cloud.archive.canonical.com/ubuntu/"
_PRECISE = "http://us.archive.ubuntu.com/ubuntu/"


def policy(names: Iterable[str] = (), *, without: str = "") -> str:
    """`apt-cache policy` of the packages as they are called now and were called then, as the guide prints it: no indentation, and
    sources on two lines. Package `without` has no version from grizzly.
    """
    known = list(names) or [*NAMES, *sorted(OLD.keys() - set(NAMES))]
    return "".join(_block(name, "" if name == without else OLD.get(name, "")) for name in known)


def _block(name: str, grizzly: str) -> str:
    now = "" if "quantum" in name else HAVANA if grizzly.startswith("1:2013") or not grizzly else NEWER
    table = [("*** " + now, "havana", True)] if now else []
    table += [(grizzly, "grizzly", False)] if grizzly else []
    lines = [f"{name}:", f"Installed: {now or '(none)'}", f"Candidate: {now or grizzly or '(none)'}", "Version table:"]
    for version, release, here in table:
        lines += [f"{version} 0", f"500 {_ARCHIVE}", f"precise-updates/{release}/main amd64 Packages"]
        lines += ["100 /var/lib/dpkg/status"] if here else []
    lines += ["2012.1-0ubuntu2 0", f"500 {_PRECISE}", "precise/main amd64 Packages"]
    return "\n".join(lines) + "\n"
