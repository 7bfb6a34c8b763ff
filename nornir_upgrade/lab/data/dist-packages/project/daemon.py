"""A daemon of the project: `GET /` on its port tells who it is, and whether it can work."""

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pymysql
from pymysql.connections import Connection

from . import settings, store

EX_TEMPFAIL, EX_CONFIG = 75, 78  # sysexits.h; the unit tries again after the first, not after the second
DATABASE_SECONDS = 20.0


class Service:
    """One daemon, with the configuration it started with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = socket.gethostname()
        self.config = settings.read()
        self.port = settings.RELEASE["services"][name]["port"]
        self.schema_bound = settings.RELEASE["services"][name]["schema_bound"]

    @property
    def rpc_level(self) -> str:
        """What we speak: our release's level, save a conductor that is told to speak as old compute nodes do."""
        own = settings.RELEASE["release"]
        return self.config.get("upgrade_levels", "compute", fallback=own) if self.name == "nova-conductor" else own

    def start(self) -> None:
        """Registers the service. Raises Unusable on a schema that is not ours."""
        with store.connect_within(self.config, DATABASE_SECONDS) as connection:
            if fault := self._schema_fault(store.schema(connection)):
                raise settings.Unusable(fault)
            store.register(connection, self.host, self.name, self.rpc_level)

    def state(self) -> tuple[int, dict[str, object]]:
        """HTTP status and body: 200, or 503 with the `fault` that keeps the service from working."""
        body: dict[str, object] = {
            "service": self.name,
            "host": self.host,
            "release": settings.RELEASE["release"],
            "version": settings.RELEASE["version"],
            "rpc_level": self.rpc_level,
            "region": self.config.defaults().get("region_name", ""),
        }
        try:
            with store.connect(self.config) as connection:
                version, table = store.schema(connection), settings.RELEASE["table"]
                body |= {"schema": version, "rows": {table: store.count(connection, table)}}
                fault = self._schema_fault(version) or self._rpc_fault(connection)
        except (settings.Unusable, pymysql.MySQLError) as error:
            fault = f"database: {error}"
        return (503, {**body, "fault": fault}) if fault else (200, body)

    def _schema_fault(self, version: int) -> str:
        known = settings.RELEASE["schema"]
        if version == known or not self.schema_bound:
            return ""
        return f"the schema has version {version}, {'newer' if version > known else 'older'} than {known}"

    def _rpc_fault(self, connection: Connection) -> str:
        if self.name != "nova-compute":
            return ""
        alien = {
            f"{host} speaks {level}"
            for host, level in store.levels(connection, "nova-conductor").items()
            if level not in settings.RELEASE["rpc"]
        }
        return f"nova-conductor: {', '.join(sorted(alien))}" if alien else ""


def serve(service: Service) -> None:
    """Answers for as long as the process lives; tells systemd once the port is open (sd_notify(3))."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = service.state() if self.path == "/" else (404, {"fault": "there is only /"})
            data = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    with ThreadingHTTPServer(("", service.port), Handler) as server:
        _notify(b"READY=1")
        server.serve_forever()


def main(name: str) -> int:
    """The program `name`; returns its exit status."""
    try:
        service = Service(name)
        service.start()
        serve(service)
    except settings.Unusable as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EX_CONFIG
    except (pymysql.MySQLError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EX_TEMPFAIL
    return 0


def _notify(message: bytes) -> None:
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(message, "\0" + address[1:] if address.startswith("@") else address)
