"""What the fleet's databases hold before anyone upgrades them: the same rows each time."""

import uuid
from collections.abc import Mapping

Value = str | int | None
Row = tuple[Value, ...]

_PROJECTS = ("admin", "services", "astronomy", "genomics", "web", "build")
_PEOPLE = (
    "ada",
    "barbara",
    "donald",
    "edsger",
    "frances",
    "grace",
    "john",
    "ken",
    "leslie",
    "margaret",
    "niklaus",
    "tony",
)
_SERVICE_USERS = ("keystone", "glance", "nova", "quantum", "cinder")
_IMAGES = ("cirros-0.3.1", "debian-7", "ubuntu-12.04", "ubuntu-13.10", "fedora-19", "centos-6.4")
_ROLES = ("web", "db", "worker", "cache", "build")


def statements(database: str) -> str:
    """SQL that puts the rows into a database of Havana's schema, in one transaction."""
    inserts = (
        f"INSERT INTO `{table}` VALUES\n" + ",\n".join(f"({', '.join(map(_literal, row))})" for row in rows)
        for table, rows in _TABLES[database].items()
    )
    return "START TRANSACTION;\n" + ";\n".join(inserts) + ";\nCOMMIT;\n"


def count(database: str, table: str) -> int:
    """How many rows `statements` puts into the table."""
    return len(_TABLES[database][table])


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _id(kind: str, name: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lab:{kind}:{name}"))


def _hex(kind: str, name: object) -> str:
    return _id(kind, name).replace("-", "")


def _keystone() -> Mapping[str, list[Row]]:
    projects: list[Row] = [(_hex("project", name), name, f"Project of {name}") for name in _PROJECTS]
    people: list[Row] = [
        (
            _hex("user", name),
            name,
            _hex("project", _PROJECTS[2 + index % 4]),
            int(name != "tony"),
            f'{{"email": "{name}@example.org"}}',
        )
        for index, name in enumerate(_PEOPLE)
    ]
    services: list[Row] = [
        (_hex("user", name), name, _hex("project", "services"), 1, "{}") for name in ("admin", *_SERVICE_USERS)
    ]
    return {"projects": projects, "users": people + services}


def _glance() -> Mapping[str, list[Row]]:
    return {
        "images": [
            (
                _id("image", (name, kind)),
                f"{name}-{kind}",
                (13 + 97 * index) << 20,
                kind,
                "deleted" if name == "fedora-19" else "active",
                f"file:///var/lib/glance/images/{_id('image', (name, kind))}",
            )
            for index, name in enumerate(_IMAGES)
            for kind in ("qcow2", "raw")
        ]
    }


def _nova() -> Mapping[str, list[Row]]:
    return {
        "instances": [
            (
                _id("instance", index),
                f"{_ROLES[index % 5]}{index:02}",
                f"cmp{1 + index % 2}",
                "shutoff" if index % 7 == 3 else "active",
                512 << index % 4,
                1 << index % 3,
                int(index % 6 == 5),
            )
            for index in range(36)
        ]
    }


def _quantum() -> Mapping[str, list[Row]]:
    networks: list[Row] = [
        (_id("network", index), f"{_PROJECTS[index % 6]}-net{index // 6}", int(index != 7), f"192.168.{index}.0/24")
        for index in range(12)
    ]
    ports: list[Row] = [
        (
            _id("port", index),
            _id("network", index % 12),
            f"fa:16:3e:00:{index // 256:02x}:{index % 256:02x}",
            "network:dhcp" if index < 12 else "compute:nova",
        )
        for index in range(48)
    ]
    return {"networks": networks, "ports": ports}


def _cinder() -> Mapping[str, list[Row]]:
    return {
        "volumes": [
            (
                _id("volume", index),
                f"{_ROLES[index % 5]}-data{index:02}",
                10 * (1 + index % 8),
                "available" if index % 3 == 0 else "in-use",
                None if index % 3 == 0 else _id("instance", index),
            )
            for index in range(24)
        ]
    }


_TABLES: Mapping[str, Mapping[str, list[Row]]] = {
    "keystone": _keystone(),
    "glance": _glance(),
    "nova": _nova(),
    "quantum": _quantum(),
    "cinder": _cinder(),
}
