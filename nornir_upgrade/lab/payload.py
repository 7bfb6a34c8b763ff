"""What the lab's packages hold, of whichever family: the projects' code, programs, units and conffiles, as files below the root."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Protocol

from .releases import Project, Service

MODULES = "usr/lib/python3/dist-packages"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a package: path below the root (or DEBIAN/…), bytes, mode."""

    path: str
    data: bytes
    mode: int = 0o644


class Known(Protocol):
    """What the code on the hosts has to know of its release."""

    @property
    def codename(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def rpc(self) -> tuple[str, ...]: ...


def module(name: str, version: str) -> Entry:
    """A Python module that knows its version, and no more."""
    return Entry(f"{MODULES}/{name}/__init__.py", f"__version__ = {version!r}\n".encode())


def library(project: Project, release: Known) -> Iterator[Entry]:
    """The project's Python code, the migrations up to its schema, and what it knows of its release."""
    home = f"{MODULES}/{project.name}"
    for source in _sources(data("dist-packages", "project"), ".py"):
        yield Entry(f"{home}/{source.name}", source.read_bytes())
    for source in _sources(data("schema", project.database), ".sql"):
        if int(source.name.partition("_")[0]) <= project.schema:
            yield Entry(f"{home}/schema/{source.name}", source.read_bytes())
    yield Entry(f"{home}/release.json", _knowledge(project, release))


def command(project: Project) -> Entry:
    """The command that migrates the project's schema."""
    return _program(project.manage, f"from {project.name}.manage import main\n\nsys.exit(main(sys.argv[1:]))\n")


def program(project: Project, service: Service) -> Entry:
    """The daemon of one of the project's services."""
    return _program(service.name, f"from {project.name}.daemon import main\n\nsys.exit(main({service.name!r}))\n")


def unit(path: str, service: Service, description: str) -> Entry:
    """The systemd unit that runs the service's daemon."""
    text = Template(data("unit.service").read_text())
    return Entry(path, text.substitute(name=service.name, description=description).encode())


def conffile(path: str, release: Known) -> Entry:
    """The conffile at the absolute `path` as the release ships it."""
    shipped = data("conffiles", release.codename, *path.removeprefix("/etc/").split("/"))
    return Entry(path[1:], shipped.read_bytes(), 0o640)


def data(*path: str) -> Traversable:
    """A file or directory below lab/data."""
    return files("nornir_upgrade.lab").joinpath("data", *path)


def _program(name: str, body: str) -> Entry:
    # -B: byte code would stay behind when the package is removed.
    return Entry(f"usr/bin/{name}", f"#!/usr/bin/python3 -IB\nimport sys\n\n{body}".encode(), 0o755)


def _knowledge(project: Project, release: Known) -> bytes:
    """release.json."""
    services = {
        service.name: {"port": service.port, "schema_bound": service.schema_bound} for service in project.services
    }
    known = {
        "release": release.codename,
        "version": release.version,
        "rpc": release.rpc,
        "schema": project.schema,
        "table": project.table,
        "conffile": project.conffile,
        "services": services,
        "manage": project.manage,
        "sync": project.sync,
        "show": project.show,
    }
    return json.dumps(known, indent=1).encode() + b"\n"


def _sources(directory: Traversable, suffix: str) -> list[Traversable]:
    return sorted((path for path in directory.iterdir() if path.name.endswith(suffix)), key=lambda path: path.name)
