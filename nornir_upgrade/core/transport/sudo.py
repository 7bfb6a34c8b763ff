"""Commands as root by a user who is not: sudo(8) without a terminal. Pure."""

import re
import secrets
from collections.abc import Sequence

# sudo reads the password from standard input only when it wants one: what it left is skipped up to a line that nobody else can
# know. Both sudo and the shell's read take no byte more than the line.
_SKIP = 'while IFS= read -r line && [ "$line" != "$1" ]; do :; done; shift; exec "$@"'

# What sudo itself says where it does not let a user through.
_REFUSALS = re.compile(
    rb"^(?:sudo: .*(?:password is required|incorrect password|terminal is required|command not found|not found)"
    rb"|.*is not in the sudoers file.*|Sorry, user .*|.*sudo: (?:command )?not found)",
    re.M,
)


class Sudo:
    """How one login becomes root. `secret` is its password for sudo, '' where none is wanted."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self._mark = secrets.token_hex(16)

    def wrap(self, argv: Sequence[str]) -> tuple[str, ...]:
        """`argv` as root. The secret is in `prelude`, never among arguments, which every user of a host can read."""
        if not self._secret:
            return ("sudo", "-n", "--", *argv)
        return ("sudo", "-S", "-p", "", "--", "sh", "-c", _SKIP, "sh", self._mark, *argv)

    @property
    def prelude(self) -> bytes:
        """What standard input begins with."""
        return f"{self._secret}\n{self._mark}\n".encode() if self._secret else b""


def refusal(status: int, errors: bytes) -> str:
    """What sudo said when it ran nothing; empty where it ran the command."""
    if status in (1, 127) and (match := _REFUSALS.search(errors)):
        return match[0].decode("utf-8", "replace").strip()
    return ""
