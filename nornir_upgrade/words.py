"""Words from hosts, fit to be shown: secrets masked, control characters made visible."""

import re

# Passwords as services print them: in connection URLs (RFC 3986, userinfo), and as settings or client options.
_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+(?=@)")
_AS_SETTING = re.compile(
    r"(?i)\b((?:[\w-]*(?:password|passwd|secret|token))\s*[=:]\s*|identified by\s+)('[^']*'|\"[^\"]*\"|\S+)"
)
_MASK = "***"


def masked(text: str) -> str:
    """`text` without the passwords that it holds."""
    return _AS_SETTING.sub(rf"\1{_MASK}", _IN_URL.sub(rf"\1:{_MASK}", text))


def printable(text: str) -> str:
    """`text` as it may go to a terminal: masked, and no control character but line feed and tab has an effect there."""
    return "".join(_visible(char) for char in masked(text))


def one_line(text: str, limit: int = 0) -> str:
    """`text` as `printable`, its lines joined, cut to `limit` characters (0: whole)."""
    line = " ".join(printable(text).split())
    return line if not limit or len(line) <= limit else line[: limit - 3] + "..."


def _visible(char: str) -> str:
    if char in "\n\t" or char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
