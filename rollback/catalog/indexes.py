"""The shelf: repository indexes by digest, each once however many hosts have it, and kept for the next time. No more than a cache."""

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.store import digest_of

_KEEP = 30 * 86400.0  # seconds since an index was last asked for


class Shelf:
    """Files below `root`, called by their digest. Whoever reads one verifies it, and takes a damaged one away."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def digests(self) -> frozenset[str]:
        """Of all that is there."""
        return frozenset(path.name for path in self.root.glob("[0-9a-f]*")) if self.root.is_dir() else frozenset()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Afterwards `files` are there, and nothing that nobody asked for in a month."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for digest, data in files.items():
            handle, name = tempfile.mkstemp(dir=self.root, prefix=".incoming-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self.root / digest)
        for path in self.root.iterdir():
            if path.stat().st_mtime < time.time() - _KEEP:
                path.unlink(missing_ok=True)

    def get(self, digest: str) -> bytes:
        """The file. Raises `InvalidInput` where it is damaged; the next time it is fetched anew."""
        path = self.root / digest
        data = path.read_bytes()
        if digest_of(data) != digest:
            path.unlink()
            raise InvalidInput(f"{path}: was damaged, and is removed", hint="do it again: it is fetched anew")
        os.utime(path)
        return data
