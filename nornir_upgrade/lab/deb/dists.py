"""dists/ of an apt repository: the index of its packages, and the Release file that vouches for it, signed by the lab's key."""

import gzip
import hashlib
import lzma
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

from nornir_upgrade.lab.signing import ArchiveKey

COMPONENT = "main"
_INDEXES = f"{COMPONENT}/binary-amd64"


def write(root: Path, codename: str, packages: bytes, key: ArchiveKey, *, date: int, origin: str, label: str) -> None:
    """Afterwards the repository at `root` offers `packages`, stanzas of Packages, as one suite, called `codename`.

    `date` is in seconds since the epoch. The fields are those of https://wiki.debian.org/DebianRepository/Format.
    """
    indexes = {
        f"{_INDEXES}/Packages": packages,
        f"{_INDEXES}/Packages.gz": gzip.compress(packages, mtime=0),
        f"{_INDEXES}/Packages.xz": lzma.compress(packages),
    }
    sums = [f" {sha256(data)} {len(data)} {path}" for path, data in indexes.items()]
    fields = {
        "Origin": origin,
        "Label": label,
        "Suite": codename,
        "Codename": codename,
        "Date": formatdate(date, usegmt=True),
        "Architectures": "amd64",
        "Components": COMPONENT,
        "SHA256": "\n".join(["", *sums]),
    }
    text = stanza(fields).encode()
    for path, data in {**indexes, "Release": text, "InRelease": key.clearsign(text)}.items():
        put(root / "dists" / codename, path, data)


def put(root: Path, path: str, data: bytes, mode: int = 0o644) -> None:
    """Afterwards `data` stands at `path` below `root`, in directories that all may read, whatever this process's umask."""
    target = root / path
    for parent in reversed(target.relative_to(root).parents):
        (root / parent).mkdir(exist_ok=True, parents=True)
        (root / parent).chmod(0o755)
    target.write_bytes(data)
    target.chmod(mode)


def stanza(fields: Mapping[str, str]) -> str:
    """Fields as a control file has them."""
    return "".join(f"{field}: {value}\n" for field, value in fields.items())


def sha256(data: bytes) -> str:
    """The digest as the indexes write it."""
    return hashlib.sha256(data).hexdigest()
