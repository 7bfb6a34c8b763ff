"""Services of systemd, read from what a host prints of its units."""

from collections.abc import Mapping
from dataclasses import dataclass

from nornir_upgrade.core.transport.sections import Section


@dataclass(frozen=True, slots=True)
class Service:
    """A systemd service unit. `active`: it runs; `enabled`: systemctl is-enabled's word."""

    name: str
    active: bool
    enabled: str


def parse_services(sections: Mapping[str, Section]) -> tuple[Service, ...]:
    """The services that can be enabled, or that an init script stands for: no templates, aliases, or static units."""
    enabled, aliases = _links(sections["links"])
    files = [line.rpartition("/") for _, line in sections["files"].lines()]
    generated = {name for folder, _, name in files if folder.endswith("/generator.late")}
    masked = {name for name, word in enabled.items() if word.startswith("masked")}
    units = {name for _, _, name in files} - aliases | masked
    active = _active(sections["units"].succeeded())
    names = sorted(name.removesuffix(".service") for name in units if "@" not in name)
    return tuple(_service(f"{name}.service", active, enabled, generated) for name in names)


def _active(section: Section) -> set[str]:
    """`systemctl list-units --state=active,reloading --plain --no-legend`: unit, load, active, sub, description."""
    active = set()
    for offset, line in section.lines():
        words = line.split(None, 4)
        if len(words) < 4:
            raise section.fail(f"no unit: {line!r}", offset)
        if words[2] in ("active", "reloading"):
            active.add(words[0])
    return active


def _links(section: Section) -> tuple[dict[str, str], set[str]]:
    """What `path, tab, target` lines say: how each unit is enabled, and which names are aliases."""
    enabled: dict[str, str] = {}
    aliases: set[str] = set()
    for offset, line in section.lines():
        path, tab, target = line.partition("\t")
        if not tab:
            raise section.fail(f"no link: {line!r}", offset)
        _read_link(path, target, enabled, aliases)
    return enabled, aliases


def _service(unit: str, active: set[str], enabled: Mapping[str, str], generated: set[str]) -> Service:
    word = enabled.get(unit, "generated" if unit in generated else "disabled")
    return Service(unit.removesuffix(".service"), unit in active, word)


def _read_link(path: str, target: str, enabled: dict[str, str], aliases: set[str]) -> None:
    """What one symbolic link says, as systemctl(1) is-enabled reads it: under `….wants/` or `….requires/` it enables its
    name, to /dev/null it masks it, and any other name than its target's is an alias.
    """
    folder, _, name = path.rpartition("/")
    runtime = "-runtime" if path.startswith("/run/") else ""
    own = path.startswith("/etc/") or runtime  # what a package ships below /usr is no decision of this host
    if folder.endswith((".wants", ".requires")):
        if own:
            enabled.setdefault(name, f"enabled{runtime}")
    elif target == "/dev/null":
        if own:
            enabled[name] = f"masked{runtime}"
    elif target.rpartition("/")[2] != name:
        aliases.add(name)
