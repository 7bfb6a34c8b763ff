"""The databases of a cloud of the lab: made, migrated to Havana's schema, filled, and named in the projects' conffiles."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import seeds
from .errors import LabError
from .host import NETWORK, LabHost
from .lab import Lab
from .releases import Project


@dataclass(frozen=True, slots=True)
class Databases:
    """Those on `host`. `password` is of all their users; it travels on standard input only."""

    lab: Lab
    host: LabHost
    password: str = field(repr=False)

    def make(self, projects: Iterable[Project]) -> None:
        """Afterwards each project has an empty database, and a user whom all of the lab's network may be."""
        for name in (project.database for project in projects):
            self._sql(
                f"CREATE DATABASE `{name}`;\n"
                f"CREATE USER `{name}`@`{NETWORK}.%` IDENTIFIED BY '{self.password}';\n"
                f"GRANT ALL ON `{name}`.* TO `{name}`@`{NETWORK}.%`;\n"
            )

    def fill(self, projects: Iterable[Project]) -> None:
        """Afterwards each has the schema of the release installed on the host, and the rows of `lab.seeds`."""
        for project in projects:
            self.lab.run(self.host.name, [project.manage, *project.sync])
            self._sql(seeds.statements(project.database), project.database)

    def connect(self, host: str, project: Project) -> None:
        """Afterwards the project's conffile on the host names its database."""
        url = f"mysql://{project.database}:{self.password}@{self.host.address}/{project.database}"
        text = self.lab.run(host, ["cat", project.conffile]).stdout.decode()
        write(self.lab, host, project.conffile, connected(text, url).encode())

    def _sql(self, text: str, database: str = "mysql") -> None:
        self.lab.run(self.host.name, ["mariadb", database], text.encode())


def connected(conffile: str, connection: str) -> str:
    """The text of a conffile with this `connection` in place of the shipped one; LabError where there is not just one."""
    text, replaced = re.subn(r"(?m)^connection = .*$", lambda _: f"connection = {connection}", conffile)
    if replaced != 1:
        raise LabError(f"a conffile has {replaced} lines `connection = …`, not one")
    return text


def write(lab: Lab, host: str, path: str, data: bytes) -> None:
    """In place, so that mode and owner of a file that exists stay; a new one is readable by all, as apt's sandbox needs."""
    lab.run(host, ["sh", "-c", 'umask 022; cat > "$1"', "sh", path], data)
