"""Services of systemd, read from what a host prints of its units."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from .sections import Section


@dataclass(frozen=True, slots=True)
class Service:
    """A systemd service unit. `active`: it runs; `enabled`: systemctl is-enabled's word."""

    name: str
    active: bool
    enabled: str


def parse_services(sections: Mapping[str, Section]) -> tuple[Service, ...]:
    """The services that can be enabled, or that an init script stands for: no templates, aliases, or static units."""
    units, links = sections["units"].succeeded(), sections["links"]
    active = set()
    for offset, line in units.lines():
        words = line.split(None, 4)
        if len(words) < 4:
            raise units.fail(f"no unit: {line!r}", offset)
        if words[2] in ("active", "reloading"):
            active.add(words[0])
    enabled: dict[str, str] = {}
    aliases: set[str] = set()
    for offset, line in links.lines():
        path, tab, target = line.partition("\t")
        if not tab:
            raise links.fail(f"no link: {line!r}", offset)
        _read_link(PurePosixPath(path), target, enabled, aliases)
    files = {PurePosixPath(line) for _, line in sections["files"].lines()}
    generated = {path.name for path in files if path.parent.name == "generator.late"}
    masked = {name for name, word in enabled.items() if word.startswith("masked")}
    names = {name for name in {path.name for path in files} - aliases | masked if "@" not in name}
    return tuple(
        Service(
            name.removesuffix(".service"),
            name in active,
            enabled.get(name, "generated" if name in generated else "disabled"),
        )
        for name in sorted(names)
    )


def _read_link(path: PurePosixPath, target: str, enabled: dict[str, str], aliases: set[str]) -> None:
    """What one symbolic link says, as systemctl(1) is-enabled reads it: under `….wants/` or `….requires/` it enables its
    name, to /dev/null it masks it, and any other name than its target's is an alias.
    """
    runtime = "-runtime" if path.is_relative_to("/run") else ""
    own = path.is_relative_to("/etc") or runtime  # what a package ships below /usr is no decision of this host
    if path.parent.suffix in (".wants", ".requires"):
        if own:
            enabled.setdefault(path.name, f"enabled{runtime}")
    elif target == "/dev/null":
        if own:
            enabled[path.name] = f"masked{runtime}"
    elif PurePosixPath(target).name != path.name:
        aliases.add(path.name)
