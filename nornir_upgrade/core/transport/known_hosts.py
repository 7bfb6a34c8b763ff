"""Known hosts: the lines of a known_hosts file for one host. Only these keys are parsed; paramiko would compare all of the file."""

import base64
import hmac
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_HASHED = "|1|"


def place(host: str, port: int) -> str:
    """The name of a host in a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    return host if port == 22 else f"[{host}]:{port}"


def lines(path: Path, name: str) -> Iterator[str]:
    """The lines (`names type key`) whose names include `name`, plain or hashed. Raises `OSError`."""
    file = path.stat()
    plain, hashed = _read(path, (file.st_ino, file.st_size, file.st_mtime_ns))
    by_number = dict(plain.get(name, ())) | {number: line for number, word, line in hashed if _is(word, name)}
    return (by_number[number] for number in sorted(by_number))


_Numbered = tuple[int, str]


@lru_cache(maxsize=8)
def _read(path: Path, _version: object) -> tuple[dict[str, list[_Numbered]], list[tuple[int, str, str]]]:
    """The numbered lines of the file by name, and those with hashed names. Cached until the file changes (`_version`)."""
    plain: dict[str, list[_Numbered]] = {}
    hashed = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines()):
        fields = line.split(None, 3)
        for word in fields[0].split(",") if len(fields) >= 3 else ():
            if word.startswith(_HASHED):
                hashed.append((number, word, " ".join(fields[:3])))
            else:
                plain.setdefault(word, []).append((number, " ".join(fields[:3])))
    return plain, hashed


def _is(word: str, name: str) -> bool:
    """Hashed: `|1|salt|HMAC-SHA1 of the name`, both in base64."""
    salt, _, digest = word.removeprefix(_HASHED).partition("|")
    try:
        return hmac.digest(base64.b64decode(salt), name.encode(), "sha1") == base64.b64decode(digest)
    except ValueError:  # of base64 that is none, or not even ASCII
        return False
