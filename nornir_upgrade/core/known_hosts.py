"""Which lines of a known_hosts file are about one host: only they are read, where paramiko compares every key with every other."""

import base64
import hmac
from collections.abc import Iterator
from pathlib import Path

_HASHED = "|1|"


def place(host: str, port: int) -> str:
    """The name under which a known_hosts file has the host (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    return host if port == 22 else f"[{host}]:{port}"


def lines(path: Path, name: str) -> Iterator[str]:
    """The lines that begin with `name`, be it among others or hashed; `names type key`. Raises `OSError`."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(None, 3)
        if len(fields) >= 3 and any(_is(word, name) for word in fields[0].split(",")):
            yield " ".join(fields[:3])


def _is(word: str, name: str) -> bool:
    """Hashed: `|1|salt|HMAC-SHA1 of the name`, both in base64."""
    if not word.startswith(_HASHED):
        return word == name
    salt, _, digest = word.removeprefix(_HASHED).partition("|")
    try:
        return hmac.digest(base64.b64decode(salt), name.encode(), "sha1") == base64.b64decode(digest)
    except ValueError:  # of base64 that is none, or not even ASCII
        return False
