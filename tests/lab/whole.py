"""The whole disk of a lab's host, found out without any code of the product that gathers: this machine reads the host's root.

Nothing runs on the host, so that a host whose programs no longer start has its picture as well. What the product's pictures and
these have in common is their form, and the rules.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from nornir_upgrade.core.filesystem.picture import Entry, Head, Picture
from nornir_upgrade.lab.lab import Lab
from rollback.disk import rules as picture_rules
from rollback.disk.pictures import Verdict, verdicts
from rollback.disk.rules import Rule
from rollback.disk.text import in_text

DATABASES = picture_rules.load(Path(__file__).with_name("database_rules.yaml"), "database_rules.yaml")
"""For tests that compare the databases' rows and keys themselves, by these."""
ROWS = "su postgres -c pg_dumpall | grep -v -e '^--' -e '^.\\(un\\)\\?restrict '"
KEYS = 'redis-cli --scan | sort | while read -r key; do echo "$key $(redis-cli get "$key")"; done'
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFREG: "f",
    stat.S_IFDIR: "d",
    stat.S_IFLNK: "l",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
    stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
}


def take(lab: Lab, hosts: Iterable[str]) -> dict[str, Picture]:
    """What stands now on the disks of hosts that run."""
    names = tuple(hosts)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(lambda name: _of(root(lab, name)), names), strict=True))


def root(lab: Lab, name: str) -> Path:
    """Where this machine sees the root of a running host: through its init."""
    place = Path((lab.directory / "cgroup").read_text().strip()) / name
    (first, *_) = sorted(place.rglob("init.scope/cgroup.procs"))
    return Path("/proc") / first.read_text().split()[0] / "root"


def differences(
    before: Mapping[str, Picture], after: Mapping[str, Picture], rules: Iterable[Rule] = ()
) -> tuple[Verdict, ...]:
    """What differs, judged by the rules of the product and by those given."""
    return verdicts(before, after, (*picture_rules.shipped(), *rules))


def assert_explained(found: Iterable[Verdict]) -> str:
    """Every difference has a rule; returns how many each rule explains, as text."""
    told = tuple(found)
    assert told and all(one.comparison.paths > 1000 for one in told), "no picture, or an empty one: it proves nothing"
    assert not [change for one in told for change in one.judgement.unexplained], in_text(told)
    return in_text(told)


def _of(top: Path) -> Picture:
    device = os.lstat(f"{top}/").st_dev
    how = dict(picture_rules.meanings(picture_rules.shipped()))
    records = {}
    for path, found in _walk(os.fsencode(f"{top}/"), device):
        name = os.fsdecode(path.removeprefix(os.fsencode(str(top)))) or "/"
        if entry := _entry(path, found, how.get(name, "")):
            records[name] = entry.record()
    return Picture(Head(roots=("/",), xattrs="os"), records)


def _walk(top: bytes, device: int) -> Iterator[tuple[bytes, os.stat_result]]:
    yield top, os.lstat(top)
    waiting = [top]
    while waiting:
        with os.scandir(waiting.pop()) as listed:
            for one in listed:
                try:
                    found = one.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if found.st_dev != device:
                    continue
                yield one.path, found
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(one.path)


def _entry(path: bytes, found: os.stat_result, how: str) -> Entry | None:
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    device = f"{os.major(found.st_rdev):x}:{os.minor(found.st_rdev):x}" if kind in "bc" else ""
    mode, owner = f"{stat.S_IMODE(found.st_mode):04o}", f"{found.st_uid}:{found.st_gid}"
    try:
        target = str(Path(os.fsdecode(path)).readlink()) if kind == "l" else ""
        digest, meaning = _digests(path, how) if kind == "f" else ("", "")
        return Entry(kind, mode, owner, digest, meaning, device, False, _xattrs(path), target)
    except FileNotFoundError:
        return None


def _digests(path: bytes, how: str) -> tuple[str, str]:
    total, data = hashlib.sha256(), b""
    with Path(os.fsdecode(path)).open("rb") as file:
        while piece := file.read(_CHUNK):
            total.update(piece)
            data += piece if how else b""
    if not how:
        return total.hexdigest(), ""
    parts = data.split(b"\n\n") if how == "stanzas" else data.splitlines()
    return total.hexdigest(), hashlib.sha256(
        b"\0".join(sorted(one.strip() for one in parts if one.strip()))
    ).hexdigest()


def _xattrs(path: bytes) -> str:
    names = os.listxattr(path, follow_symlinks=False)
    return ",".join(
        sorted(f"{quote(os.fsencode(name))}={os.getxattr(path, name, follow_symlinks=False).hex()}" for name in names)
    )
