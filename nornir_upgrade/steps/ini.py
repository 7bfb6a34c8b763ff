"""INI file: set or unset one option. Every other byte stays as it is."""

from dataclasses import dataclass
from typing import Literal

from configupdater import ConfigUpdater, ParsingError

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

from .files import captured


@dataclass(frozen=True, slots=True)
class SetOption(Step, kind="ini"):
    """In the INI file at `path`, `option` of `section` has `value`, or is not set if `value` is `None`. Mode and owner stay.

    `observe` captures the whole file: undoing restores its bytes, not just the option.
    """

    path: str
    section: str
    option: str
    value: str | None
    kind: Literal["ini"] = "ini"

    def observe(self, host: Host, store: Store) -> Step:
        return captured((self.path,), host, store)

    def apply(self, host: Host, store: Store) -> None:
        (state,) = host.stat((self.path,))
        if state.kind != "file":
            raise InvalidInput(f"{host.name}: {self.path} is not a file: [{self.section}] {self.option} cannot be set")
        present = host.read(self.path)
        wanted = edited(present, self, f"{host.name}:{self.path}")
        if wanted != present:
            host.write(self.path, wanted, mode=state.mode, owner=state.owner, group=state.group)

    def describe(self) -> str:
        meaning = "unset" if self.value is None else f"= {self.value}"
        return f"{self.path} [{self.section}] {self.option} {meaning}"


def edited(data: bytes, want: SetOption, source: str) -> bytes:
    """`data` with the option set or unset. An empty section stays. Raises `InvalidInput` naming `source` if `data` is not INI."""
    document = ConfigUpdater(strict=False, allow_no_value=True, delimiters=("=",), empty_lines_in_values=False)
    document.optionxform = str  # type: ignore[assignment]  # option names keep their case
    try:
        document.read_string(data.decode("utf-8", "surrogateescape"), source=source)
    except ParsingError as error:
        raise InvalidInput(f"{source}: not an INI file: {error}") from None
    if want.value is None:
        document.remove_option(want.section, want.option) if document.has_section(want.section) else None
    else:
        if not document.has_section(want.section):
            document.add_section(want.section)
        document.set(want.section, want.option, want.value)
    return str(document).encode("utf-8", "surrogateescape")
