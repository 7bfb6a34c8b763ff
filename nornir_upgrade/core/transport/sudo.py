"""Sudo: commands as root for a login that is not root, by sudo(8) without a terminal. Pure."""

import re
import secrets
from collections.abc import Sequence

# sudo reads the password from standard input only if it needs one. A password that it did not read is skipped, up to a line with a
# random mark. Both sudo and the shell's read consume no byte beyond the line.
_SKIP = 'while IFS= read -r line && [ "$line" != "$1" ]; do :; done; shift; exec "$@"'

# The messages of sudo itself when it refuses a user.
_REFUSALS = re.compile(
    rb"^(?:sudo: .*(?:password is required|incorrect password|terminal is required|command not found|not found)"
    rb"|.*is not in the sudoers file.*|Sorry, user .*|.*sudo: (?:command )?not found)",
    re.M,
)


class Sudo:
    """Root rights for one login. `secret`: its password for sudo, '' if sudo needs none."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self._mark = secrets.token_hex(16)

    def wrap(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The command that runs `argv` as root. The secret is in `prelude`: every user of a host can read arguments."""
        if not self._secret:
            return ("sudo", "-n", "--", *argv)
        return ("sudo", "-S", "-p", "", "--", "sh", "-c", _SKIP, "sh", self._mark, *argv)

    @property
    def prelude(self) -> bytes:
        """The bytes with which standard input must begin."""
        return f"{self._secret}\n{self._mark}\n".encode() if self._secret else b""


def refusal(status: int, errors: bytes) -> str:
    """The message of sudo if it refused to run the command; '' if it ran it."""
    if status in (1, 127) and (match := _REFUSALS.search(errors)):
        return match[0].decode("utf-8", "replace").strip()
    return ""
