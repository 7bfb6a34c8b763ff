"""The ordinary fleet: servers as administrators have them, set up once; after that each lab starts from the frozen result."""

import hashlib
import secrets
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import machine, ordinary_inventory, payload
from .base import Progress, only_one
from .databases import write
from .deb import shop
from .host import LabHost
from .lab import Lab
from .provision import bring_up
from .signing import ArchiveKey, archive_key

BASTION = LabHost("bastion", 31, base="ordinary")
WEB = (LabHost("web1", 32, base="ordinary"), LabHost("web2", 33, base="ordinary", login="ops"))
DATABASE = LabHost("db1", 34, base="ordinary")
BALANCER = LabHost("lb1", 35, base="ordinary")
BIG = LabHost("big", 36, base="ordinary")
FLEET: tuple[LabHost, ...] = (BASTION, *WEB, DATABASE, BALANCER, BIG)

_SCRIPTS = {"web1": ("web",), "web2": ("web", "web2")}
"""Host -> the scripts of data/ordinary that set it up, where they are not the one of its name."""
_KEYRING = "/usr/share/keyrings/shop-archive.gpg"


def up(lab: Lab, progress: Progress = lambda _: None, hosts: Sequence[LabHost] = FLEET) -> Path:
    """Afterwards the hosts run as they were set up, the lab serves the shop, and an inventory of all stands in the lab's directory.

    What runs already is left as it is. Returns the configuration that names the inventory. Raises LabError where a host was made
    by another recipe.
    """
    key = archive_key(lab.cache)
    work = _SettingUp(lab, key, password(lab.cache), progress)
    golden = golden_key(work)
    lab.up([host for host in hosts if lab.frozen(golden, [host])], golden=golden)
    work.serve()
    ready = [status.name for status in lab.status() if status.golden == golden]

    def one(host: LabHost) -> None:
        bring_up(lab, [host], golden, lambda: None, lambda: work.run(host.name), progress)

    # Two at a time: installing keeps one core busy. Each is kept when it is done, so that what was interrupted goes on from there.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for _ in pool.map(one, [host for host in hosts if host.name not in ready]):
            pass
    return ordinary_inventory.write(lab, hosts, work.password)


def password(cache: Path) -> str:
    """That of ops where sudo asks for one: made once, kept in the cache."""
    path = cache / "ordinary-password"
    with only_one(path):
        if not path.exists():
            machine.write(path, secrets.token_urlsafe(12))
        return path.read_text()


def golden_key(work: "_SettingUp") -> str:
    """The key that the hosts are frozen under: 16 hexadecimal digits over everything that goes in."""
    scripts = sorted((path.name, path.read_text()) for path in payload.data("ordinary").iterdir())
    recipe = repr((scripts, _SCRIPTS, shop.digest(), work.password)).encode()
    return hashlib.sha256(recipe + work.key.public).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _SettingUp:
    """One setting up. Passwords travel on standard input only."""

    lab: Lab
    key: ArchiveKey
    password: str = field(repr=False)
    progress: Progress

    def serve(self) -> None:
        shop.serve(self.lab.repositories, self.key)
        machine.write(self.lab.password_file, self.password)

    def run(self, host: str) -> None:
        self.progress(f"{host}: setting up")
        for path, data in self._files(host).items():
            write(self.lab, host, path, data)
        names = ("common", *_SCRIPTS.get(host, (host,)), "last")
        script = "".join(payload.data("ordinary", f"{name}.sh").read_text() for name in names)
        self.lab.run(host, ["bash", "--norc", "-euc", script], timeout=1800.0)

    def _files(self, host: str) -> dict[str, bytes]:
        """What its scripts find."""
        database = hashlib.sha256(f"shop {self.password}".encode()).hexdigest()[:20]
        if host == DATABASE.name:
            return {"/run/shop.sql": shop.sql(database).encode()}
        if host not in [one.name for one in WEB]:
            return {}
        line = f"SHOP_DATABASE=host={DATABASE.address} dbname=shop user=shop password={database}\n"
        files = {_KEYRING: self.key.public, "/run/db.env": line.encode()}
        if host == WEB[1].name:
            files |= {"/run/password": f"ops:{self.password}\n".encode(), "/run/corp-agent.deb": _agent()}
        return files


def _agent() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "agent.deb"
        shop.build(shop.agent(), target)
        return target.read_bytes()
