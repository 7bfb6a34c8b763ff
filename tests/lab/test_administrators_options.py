"""A Debian host as administrators keep theirs: translations, options of apt that change what it says, hooks that talk, small disks.

Its archive keeps one version of a package: the old one is gone from it once the new one is there, and a library has a new name.
"""

import hashlib
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import ConnectionLost, DiskFull, HostUnreadable
from nornir_upgrade.core.facts.gather import gather
from nornir_upgrade.core.facts.probe import inspect
from nornir_upgrade.core.packaging.deb import index_repair as indexes
from nornir_upgrade.core.packaging.model import PackageChange, PackageWant
from nornir_upgrade.core.packaging.preview import EVERYTHING, preview
from nornir_upgrade.core.packaging.rehearsal import rehearse
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab.deb import dists
from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.signing import archive_key
from nornir_upgrade.planner import reversibility
from tests.conftest import connect

pytestmark = pytest.mark.lab

OPTIONS = """\
quiet "2";
APT::Color "true";
APT::Get::Show-Versions "true";
APT::Get::Purge "true";
APT::Get::AutomaticRemove "true";
APT::Install-Suggests "true";
APT::Cmd::Show-Update-Stats "true";
APT::Cache::ShowFull "true";
APT::Cache::AllVersions "false";
Acquire::Languages { "de"; "en"; };
Dpkg::Progress-Fancy "true";
APT::Update::Pre-Invoke { "echo W: a hook talks; echo W: a hook complains >&2"; };
APT::Update::Post-Invoke-Success { "echo W: a hook talks; echo W: a hook complains >&2"; };
DPkg::Post-Invoke { "echo W: a hook talks; echo W: a hook complains >&2"; };
"""
ORDINARY = LabHost("plain", 120, base="ordinary")
LIST, KEYRING = "/etc/apt/sources.list.d/shop.list", "/usr/share/keyrings/shop.gpg"
SOURCE = f"deb [signed-by={KEYRING}] http://10.99.0.1:8000/shop-{{}} shop main\n"
TRACES = """\
find /etc /var/lib/dpkg /var/lib/apt /var/cache/apt -xdev -type f ! -name lock -print0 | sort -z | xargs -0 sha256sum
find /tmp /var/tmp /run /dev/shm -xdev -name 'nornir-upgrade*'
"""


@dataclass(frozen=True, slots=True)
class Deb:
    name: str
    version: str
    more: tuple[str, ...] = ()


OLD = (Deb("shop", "1.4-1", ("Depends: shop-common (= 1.4-1)",)), Deb("shop-common", "1.4-1"))
NEW = (
    Deb("shop", "2.0-1", ("Depends: shop-core (= 2.0-1)", "Suggests: shop-extras")),
    Deb("shop-core", "2.0-1", ("Conflicts: shop-common", "Replaces: shop-common")),
    Deb("shop-extras", "2.0-1"),
)


@pytest.fixture
def host(nodes: Lab, tmp_path: Path) -> Iterator[SshHost]:
    """Has the old release, by apt, with the options; the archive of the new one is there."""
    key = archive_key(nodes.cache)
    for codename, debs in (("old", OLD), ("new", NEW)):
        offer(nodes.repositories / f"shop-{codename}", debs, tmp_path, key.clearsign)
    put = 'umask 022; cat > "$1"'
    for path, data in ((KEYRING, key.public), (LIST, SOURCE.format("old").encode())):
        nodes.run("h1", ["sh", "-c", put, "sh", path], data)
    nodes.run("h1", ["sh", "-euc", "apt-get -q update; apt-get -qy install shop"])
    nodes.run("h1", ["sh", "-c", put, "sh", "/etc/apt/apt.conf.d/99shop"], OPTIONS.encode())
    nodes.run("h1", ["sh", "-euc", "apt-get -q update"])
    made = connect(nodes, "h1")
    yield made
    made.close()


def offer(root: Path, debs: tuple[Deb, ...], work: Path, sign: object) -> None:
    """Afterwards the repository has `debs`, and their descriptions in translations alone."""
    stanzas, translations = [], []
    for deb in debs:
        tree = work / f"{deb.name}-{deb.version}"
        conffile = tree / "etc" / f"{deb.name}.conf"
        conffile.parent.mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN").mkdir(exist_ok=True)
        conffile.write_text(deb.version)
        fields = [
            f"Package: {deb.name}",
            f"Version: {deb.version}",
            "Architecture: all",
            "Maintainer: Lab <lab@lab.invalid>",
        ]
        description = f"Description: a part of the shop called {deb.name}"
        (tree / "DEBIAN" / "conffiles").write_text(f"/etc/{deb.name}.conf\n")
        (tree / "DEBIAN" / "control").write_text("\n".join([*fields, *deb.more, description, ""]))
        file = work / f"{deb.name}_{deb.version}_all.deb"
        subprocess.run(("dpkg-deb", "--root-owner-group", "--build", tree, file), check=True, capture_output=True)
        data = file.read_bytes()
        dists.put(root, f"pool/{file.name}", data)
        md5 = hashlib.md5(f"{description.removeprefix('Description: ')}\n".encode()).hexdigest()
        lines = [*fields, *deb.more, f"Description: a part of the shop called {deb.name}", f"Description-md5: {md5}"]
        lines += [f"Filename: pool/{file.name}", f"Size: {len(data)}", f"SHA256: {dists.sha256(data)}"]
        stanzas.append("\n".join(lines) + "\n")
        english = f"Description-en: a part of the shop called {deb.name}\n In English, and in more lines than one.\n"
        translations.append(f"Package: {deb.name}\nDescription-md5: {md5}\n{english}")
    indexes = {
        "main/binary-amd64/Packages": "\n".join(stanzas).encode(),
        "main/i18n/Translation-en": "\n".join(translations).encode(),
    }
    sums = "".join(f"\n {dists.sha256(data)} {len(data)} {path}" for path, data in indexes.items())
    release = dists.stanza(
        {
            "Origin": "Shop",
            "Label": "Shop",
            "Suite": "shop",
            "Codename": "shop",
            "Date": time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime()),
            "Architectures": "amd64 all",
            "Components": "main",
            "SHA256": sums,
        }
    ).encode()
    for path, data in {**indexes, "Release": release, "InRelease": sign(release)}.items():  # type: ignore[operator]
        dists.put(root / "dists" / "shop", path, data)


def traces(host: SshHost) -> str:
    return host.run(("sh", "-c", TRACES)).text


def new_release(host: SshHost) -> tuple[PackageChange, ...]:
    made = preview(host, {LIST: SOURCE.format("new")}, {"shop": EVERYTHING})["shop"]
    assert made.excluders == (("shop-common", "shop-core 2.0-1"),)
    return made.changes


def test_forward_and_the_way_back_are_known_and_nothing_is_left(host: SshHost) -> None:
    assert host.run(("sh", "-c", "LC_ALL=C apt-cache show shop=1.4-1 | grep -c ^Description-en")).text.strip() == "1"
    before = traces(host)
    facts = gather(host)
    assert inspect(host, "apt").offered
    changes = {one.name: (one.old, one.new) for one in new_release(host)}
    assert changes == {"shop": ("1.4-1", "2.0-1"), "shop-common": ("1.4-1", ""), "shop-core": ("", "2.0-1")}
    goals = [
        PackageWant(name, "all", new, "installed", auto=name != "shop") for name, (_, new) in changes.items() if new
    ]
    goals += [PackageWant("shop-common", "all", "", "config-files")]
    back = reversibility._question(facts, goals, {LIST: SOURCE.format("new")})
    said = rehearse(host, "apt", back.repositories, back.present, back.after, back.want)
    assert said.refusal == "" and said.said is not None
    assert {one.name for one in reversibility.unoffered(back, said)} == {"shop", "shop-common"}
    told = {one.name: (one.old, one.new) for one in said.said.changes}
    assert told == {"shop": ("2.0-1", "1.4-1"), "shop-common": ("", "1.4-1"), "shop-core": ("2.0-1", "")}
    assert traces(host) == before


def test_where_one_disk_is_small_another_is_taken_and_where_all_are_it_is_called_full(host: SshHost) -> None:
    small = "mount -t tmpfs -o size=1m none {}"
    host.run(("sh", "-euc", "; ".join(map(small.format, ("/var/tmp", "/tmp")))))
    assert new_release(host)
    host.run(
        (
            "sh",
            "-euc",
            "mount -t tmpfs -o size=1m none /dev/shm; mount -o remount,size=1m /run || mount -o bind /tmp /run",
        )
    )
    before = traces(host)
    with pytest.raises(DiskFull, match=r"No space left on device: .* KiB are needed"):
        new_release(host)
    assert traces(host) == before


def test_a_broken_sources_file_is_told_with_its_host_file_and_line(host: SshHost) -> None:
    host.write("/etc/apt/sources.list.d/own.list", b"deb http://10.99.0.1:8000/shop-old\n")
    with pytest.raises(HostUnreadable) as caught:
        gather(host)
    assert re.match(
        r"h1: apt-cache policy: .*; E: Malformed entry 1 in list file /etc/apt/sources.list.d/own.list",
        caught.value.message,
    )
    assert "apt-cache policy" in caught.value.hint


def test_indexes_that_broke_are_fetched_again(host: SshHost) -> None:
    assert indexes.mend(host) == ()
    (index,) = host.run(("sh", "-c", "ls /var/lib/apt/lists/*shop-old*_Packages")).text.split()
    host.run(("sh", "-euc", 'truncate -s 100 "$1"', "sh", index))
    assert indexes.mend(host) == (index,)
    signed = index.replace("main_binary-amd64_Packages", "InRelease")
    host.run(("rm", index))
    assert indexes.mend(host) == (signed,)
    host.run(("sh", "-euc", 'truncate -s 100 "$1"; : > "$2"', "sh", signed, index))
    assert indexes.mend(host) and indexes.mend(host) == ()
    assert "1.4-1" in host.run(("apt-cache", "policy", "shop")).text


def test_nothing_is_left_where_the_connection_goes(host: SshHost, nodes: Lab) -> None:
    other = connect(nodes, "h1")
    there = "while ! ls -d /var/tmp/nornir-upgrade.* 2>/dev/null; do sleep 0.02; done"
    gone = "while ls -d /var/tmp/nornir-upgrade.* 2>/dev/null >&2; do sleep 0.1; done"
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(new_release, host)
        other.run(("sh", "-c", there))
        host.close()
        assert isinstance(asked.exception(), ConnectionLost)
    other.run(("sh", "-c", gone))
    other.close()


def test_the_way_back_from_all_updates_of_an_ordinary_host_is_known(lab: Lab) -> None:
    """As its installer leaves it: translations, and security updates of what was there from the first."""
    lab.up([ORDINARY])
    host = connect(lab, ORDINARY.name)
    host.run(("apt-get", "-q", "update"), timeout=300)
    before = traces(host)
    facts = gather(host)
    changes = preview(host, {}, {"all": EVERYTHING})["all"].changes
    assert len(changes) > 10
    goals = [PackageWant(one.name, one.arch, one.new, "installed", auto=False) for one in changes if one.new]
    back = reversibility._question(facts, goals, {})
    said = rehearse(host, "apt", back.repositories, back.present, back.after, back.want)
    assert said.refusal == "" and said.said is not None
    assert {one.name for one in said.said.changes} == {one.name for one in changes}
    assert traces(host) == before
    host.close()
    lab.reset(ORDINARY.name)
