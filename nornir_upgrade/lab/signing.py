"""The key that signs the lab's repositories: made once, kept in the cache, its public half given to the hosts."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

_OWNER = "Lab Cloud Archive <archive@lab.invalid>"


@dataclass(frozen=True, slots=True)
class ArchiveKey:
    """A GnuPG home (gpg(1), --homedir) that holds one key without a passphrase. `public` is what apt's Signed-By wants."""

    home: Path
    public: bytes

    def clearsign(self, text: bytes) -> bytes:
        """The text with its signature around it, as in an InRelease file."""
        with _held(self.home):
            return _gpg(self.home, "--clearsign", input=text)


def archive_key(cache: Path) -> ArchiveKey:
    """The key of this cache; afterwards there is one. Raises LabError with what gpg said when it cannot be made."""
    home = cache / "archive-key"
    with _held(home):
        if not home.is_dir():
            fresh = home.with_name("archive-key.partial")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            _gpg(fresh, "--passphrase", "", "--quick-generate-key", _OWNER, "ed25519", "sign", "never")
            fresh.rename(home)
        return ArchiveKey(home, _gpg(home, "--export"))


@contextmanager
def _held(home: Path) -> Iterator[None]:
    """One process at a time: gpg leaves an agent behind, and ending it must not end another's."""
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home.with_name(f"{home.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _gpg(home: Path, *arguments: str, input: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["gpg", "--homedir", str(home), "--batch", "--no-tty", *arguments],
            input=input,
            capture_output=True,
            check=False,
            timeout=60,
        )
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, timeout=60)
    if done.returncode != 0:
        raise LabError(f"gpg {arguments[0]} failed:\n{done.stderr.decode(errors='replace')}")
    return done.stdout
