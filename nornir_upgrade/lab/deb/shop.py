"""A small web application as Debian packages, in two versions: the second renames a library, needs one more, and migrates a schema.

Its repository keeps one version of a package in each suite, as reprepro does: `shop-old` has 1.4, `shop-new` has 2.0.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from nornir_upgrade.lab.cloud import payload
from nornir_upgrade.lab.cloud.payload import MODULES, PayloadFile
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.signing import ArchiveKey

from . import dists
from .dists import put, sha256, stanza

OLD, NEW = "shop-old", "shop-new"
NAME = "shop"
_DATES = {OLD: 1_700_000_000, NEW: 1_750_000_000}
_STAMP = "digest"


@dataclass(frozen=True, slots=True)
class ShopPackage:
    """One binary package: fields of its control file, and its files (those below DEBIAN/ too)."""

    name: str
    version: str
    relations: Mapping[str, str]
    entries: tuple[PayloadFile, ...]

    @property
    def fields(self) -> Mapping[str, str]:
        return {
            "Package": self.name,
            "Version": self.version,
            "Architecture": "all",
            "Maintainer": "Shop <shop@lab.invalid>",
            "Section": "web",
            "Priority": "optional",
            **self.relations,
            "Description": f"{self.name} of the lab",
        }

    @property
    def file(self) -> str:
        return f"{self.name}_{self.version}_all.deb"


def packages(suite: str) -> tuple[ShopPackage, ...]:
    """What a suite of the repository offers."""
    return (
        (_library("libshop-common", "shopcommon", "1.4-1", 14, {}), _app("1.4-1", "shopcommon"))
        if suite == OLD
        else (
            _library(
                "python3-shopcore",
                "shopcore",
                "2.0-1",
                20,
                dict.fromkeys(("Conflicts", "Replaces", "Provides"), "libshop-common"),
            ),
            _app("2.0-1", "shopcore"),
        )
    )


def agent() -> ShopPackage:
    """One that no repository has."""
    control = PayloadFile("usr/bin/corp-agent", b"#!/bin/sh\nexec sleep infinity\n", 0o755)
    conffile = PayloadFile("etc/corp-agent.conf", b"server = agent.invalid\n")
    return ShopPackage(
        "corp-agent", "3.1-1", {}, (control, conffile, PayloadFile("DEBIAN/conffiles", b"/etc/corp-agent.conf\n"))
    )


def sql(password: str) -> str:
    """What makes the shop's database, with the schema of 1.4 and 200 items. For psql, as a superuser."""
    return _template("schema.sql", password=password)


def digest() -> str:
    """SHA-256 over all packages and the database."""
    return sha256(repr((packages(OLD), packages(NEW), agent(), sql(""))).encode())


def serve(repositories: Path, key: ArchiveKey) -> None:
    """Afterwards the lab serves the repository with both suites. One that is there already is kept."""
    wanted, target = sha256(digest().encode() + key.public), repositories / NAME
    if (target / _STAMP).exists() and (target / _STAMP).read_text() == wanted:
        return
    with tempfile.TemporaryDirectory(dir=repositories, prefix="shop-") as partial:
        root = Path(partial) / NAME
        root.mkdir(mode=0o755)
        for suite in (OLD, NEW):
            stanzas = [_indexed(package, root, _DATES[suite]) for package in packages(suite)]
            index = "\n".join(stanzas).encode()
            dists.write(root, suite, index, key, date=_DATES[suite], origin="Shop", label="Shop")
        (root / _STAMP).write_text(wanted)
        shutil.rmtree(target, ignore_errors=True)
        root.rename(target)


def build(package: ShopPackage, target: Path, date: int = _DATES[OLD]) -> None:
    """Afterwards the .deb is at `target`; the same data make the same bytes. Raises LabError with dpkg-deb's words."""
    with tempfile.TemporaryDirectory() as stage:
        for entry in (PayloadFile("DEBIAN/control", stanza(package.fields).encode()), *package.entries):
            put(Path(stage), entry.path, entry.data, entry.mode)
        Path(stage).chmod(0o755)
        argv = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", stage, str(target)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(date), "LC_ALL": "C"}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"dpkg-deb could not build {package.name}:\n{done.stderr}")


def _indexed(package: ShopPackage, root: Path, date: int) -> str:
    path = f"pool/{package.file}"
    put(root, path, b"")
    build(package, root / path, date)
    data = (root / path).read_bytes()
    return stanza({**package.fields, "Filename": path, "Size": str(len(data)), "SHA256": sha256(data)})


def _library(name: str, module: str, version: str, schema: int, relations: Mapping[str, str]) -> ShopPackage:
    text = _template("library", version=version, schema=str(schema))
    needs = {"Depends": "python3, python3-psycopg2", **relations}
    return ShopPackage(name, version, needs, (PayloadFile(f"{MODULES}/{module}/__init__.py", text.encode()),))


def _app(version: str, module: str) -> ShopPackage:
    new = module == "shopcore"
    library = "python3-shopcore (>= 2.0), python3-yaml" if new else "libshop-common (>= 1.4)"
    settings = f"# shipped by {version}\n[shop]\nport = 8080\ngreeting = Welcome\n" + ("workers = 2\n" if new else "")
    scripts = (PayloadFile(f"DEBIAN/{name}", _text(name).encode(), 0o755) for name in ("postinst", "prerm", "postrm"))
    migrate = [PayloadFile("usr/bin/shopapp-migrate", _text("shopapp-migrate").encode(), 0o755)] if new else []
    entries = (
        *scripts,
        PayloadFile("DEBIAN/conffiles", b"/etc/shopapp/shop.conf\n"),
        PayloadFile("etc/shopapp/shop.conf", settings.encode()),
        PayloadFile("usr/bin/shopapp", _template("shopapp", module=module).encode(), 0o755),
        PayloadFile("lib/systemd/system/shopapp.service", _text("shopapp.service").encode()),
        *migrate,
    )
    return ShopPackage("shopapp", version, {"Depends": f"python3, adduser, {library}"}, entries)


def _text(name: str) -> str:
    return payload.data("shop", name).read_text()


def _template(name: str, **values: str) -> str:
    return Template(_text(name)).substitute(values)
