"""Compressed files: the first bytes of a file, not its name, show its compression. Bounded in memory."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from nornir_upgrade.core.errors import InvalidInput

LIMIT = 1024 * 2**20  # bytes unpacked; the largest real index is a tenth of it, and a few kilobytes can claim terabytes
_CHUNK = 2**20
_PIECE = 512  # packed bytes at once: four of them can stand for 128 kB (RFC 8878, RLE blocks)


def read(path: Path, limit: int = LIMIT) -> bytes:
    """The content of `path`, unpacked. Raises `InvalidInput` if it cannot be read, is damaged, cut off or above `limit`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    return unpack(data, str(path), limit)


def unpack(data: bytes, source: str, limit: int = LIMIT) -> bytes:
    """`data` unpacked, or unchanged if it is not packed. Raises `InvalidInput` naming `source` if it is damaged, cut off or
    above `limit`.
    """
    opener = next((opener for magic, opener in _OPENERS if data.startswith(magic)), None)
    if opener is None:
        return data
    try:
        return _bounded(opener(BytesIO(data)), limit)
    except _damage() as error:
        raise InvalidInput(f"{source}: damaged or cut off: {error}", hint="fetch it again") from None
    except _TooLong:
        raise InvalidInput(f"{source}: unpacks to more than {limit} bytes") from None


class _TooLong(Exception):
    pass


def _bounded(file: IO[bytes], limit: int) -> bytes:
    parts, size = [], 0
    while part := file.read(_CHUNK):
        size += len(part)
        if size > limit:
            raise _TooLong
        parts.append(part)
    return b"".join(parts)


def _damage() -> tuple[type[Exception], ...]:
    from zstandard import ZstdError

    return (OSError, EOFError, ValueError, RuntimeError, lzma.LZMAError, zlib.error, ZstdError)


def _zstd(file: IO[bytes]) -> Any:
    """zstandard's reader accepts a stream that ends early. Therefore its frames are unpacked one by one."""
    from zstandard import ZstdDecompressor

    return _Frames(file, ZstdDecompressor().decompressobj)


def _lz4(file: IO[bytes]) -> Any:
    from lz4.frame import LZ4FrameDecompressor

    return _Frames(file, LZ4FrameDecompressor)


class _Frames:
    """A reader of frames, each of which must reach its end."""

    def __init__(self, file: IO[bytes], opener: Callable[[], Any]) -> None:
        self._file = file
        self._opener = opener
        self._frame: Any = None
        self._rest = b""

    def read(self, _size: int) -> bytes:
        """The next bytes, some megabytes at most; none at the end. Raises `EOFError` if a frame is cut off."""
        while piece := self._rest or self._file.read(_PIECE):
            self._rest = b""
            self._frame = self._frame or self._opener()
            unpacked = bytes(self._frame.decompress(piece))
            if self._frame.eof:
                self._rest = bytes(self._frame.unused_data or b"")
                self._frame = None
            if unpacked:
                return unpacked
        if self._frame is not None:
            raise EOFError("the stream ends before its end mark")
        return b""


_OPENERS: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\x04\x22\x4d\x18", _lz4),
)
