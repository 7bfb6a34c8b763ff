"""Text: strings from hosts prepared for display. Secrets are masked, control characters are made visible."""

from datetime import datetime

from nornir_upgrade.core.redaction import masked as masked

_UNITS = ("B", "kB", "MB", "GB", "TB")


def printable(text: str) -> str:
    """`text` safe for a terminal: secrets are masked, and control characters except line feed and tab are escaped."""
    return "".join(_visible(char) for char in masked(text))


def one_line(text: str, limit: int = 0) -> str:
    """`text` as `printable`, its lines joined, cut to `limit` characters (0: whole)."""
    line = " ".join(printable(text).split())
    return line if not limit or len(line) <= limit else line[: limit - 3] + "..."


def moment(at: str) -> str:
    """A moment of the journal or of facts (UTC, ISO 8601) as `YYYY-MM-DD HH:MM:SS UTC`; '' for ''."""
    return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""


def cause(error: str, host: str) -> str:
    """A failure of the journal without its reference and the host, for a line that names both already."""
    reference, colon, rest = error.partition(": ")
    return rest.removeprefix(f"{host}: ") if colon and reference.replace("-", "").isalpha() else error


def in_bytes(size: float) -> str:
    """A size in bytes for people: one decimal and a decimal unit, as `3.2 MB`."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"


def _visible(char: str) -> str:
    if char in "\n\t" or char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
