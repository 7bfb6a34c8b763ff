"""Golden layers: what provisioning did to a host, kept in the cache under a key, to start from and to go back to."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput

from .errors import LabError

# Below the cache:  bases/NAME-DIGEST        a base
#                   layers/ID/upper          what one host changed above the layers listed in layers/ID/below
#                   golden/KEY/HOST          a symbolic link to layers/ID
#                   lock                     shared by running labs, exclusive while layers are removed


def find(cache: Path, key: str, host: str, base: Path) -> tuple[Path, ...] | None:
    """The layers, top first, of `host` as it was kept under `key`; None if it was not, or stood on another base."""
    layer = _link(cache, key, host)
    try:
        below = _below(layer)
    except FileNotFoundError:
        return None
    layers = (layer.resolve() / "upper", *below)
    return layers if layers[-1] == base and all(path.is_dir() for path in layers) else None


def keep(cache: Path, key: str, host: str, upper: Path, below: tuple[Path, ...]) -> tuple[Path, ...]:
    """Afterwards what `upper` holds is in the cache, and is what `find` returns. The host must be down.

    `upper` itself has moved, or, from another file system, was copied. A layer that had the key before is left where it
    is, since another lab may stand on it; `prune` removes it.
    """
    layer = cache / "layers" / uuid.uuid4().hex
    partial = layer.with_suffix(".partial")
    partial.mkdir(mode=0o700, parents=True)
    (partial / "below").write_text("".join(f"{path}\n" for path in below))
    _move_or_copy(upper, partial / "upper")
    partial.rename(layer)
    link = _link(cache, key, host)
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = link.with_name(f"{link.name}.{layer.name}")
    fresh.symlink_to(layer)
    fresh.replace(link)
    return (layer.resolve() / "upper", *below)


def prune(cache: Path) -> None:
    """Afterwards no layer is left without a key, unless some lab runs: then nothing was removed."""
    if not cache.is_dir():
        return
    with contextlib.suppress(BlockingIOError), _exclusive(cache):
        keyed = {link.resolve() for link in (cache / "golden").glob("*/*")}
        below = {path.parent.resolve() for layer in keyed if layer.is_dir() for path in _below(layer)}
        for layer in (cache / "layers").glob("*"):
            if layer.resolve() not in keyed | below:
                shutil.rmtree(layer)


def purge(cache: Path) -> None:
    """Afterwards the cache is gone; raises LabError while a lab runs on it."""
    if not cache.is_dir():
        return
    try:
        with _exclusive(cache):
            shutil.rmtree(cache)
    except BlockingIOError:
        raise LabError(f"another lab runs on the cache {cache}", hint="take that lab down first") from None


def _below(layer: Path) -> tuple[Path, ...]:
    return tuple(map(Path, (layer / "below").read_text().splitlines()))


def _link(cache: Path, key: str, host: str) -> Path:
    if not key or "/" in key or key.startswith("."):
        raise InvalidInput(f"{key!r} cannot be the key of a golden layer", hint="letters, digits, dots and hyphens")
    return cache / "golden" / key / host


def _move_or_copy(source: Path, target: Path) -> None:
    """Keeps owners, device nodes (whiteouts) and trusted.overlay.* attributes, also from one file system to another."""
    try:
        source.rename(target)
    except OSError:
        subprocess.run(["cp", "--archive", "--", str(source), str(target)], check=True)


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    descriptor = os.open(cache / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
