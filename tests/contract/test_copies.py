"""What a host keeps for its own way back is whole or does not count, on the fake host and on a real one."""

import io
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, DigestMismatch, DiskFull, InvalidInput, Unobtainable
from nornir_upgrade.core.escrow import host_copies
from nornir_upgrade.core.escrow.deliver import deliver, withdraw
from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.escrow.host_copies import DIRECTORY
from nornir_upgrade.core.packaging.package_file import DELIVERED, PackageFile
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from rollback.catalog.escrow import candidates

ONE, OTHER = b"one" * 1000, b"other\0"
DIGESTS = tuple(sha256(data).hexdigest() for data in (ONE, OTHER))
NOVA = PackageFile("deb", "nova-common", "all", "1")


@pytest.fixture(autouse=True)
def _cleared(host: Host) -> Iterator[None]:
    yield
    host.run(("rm", "-rf", "--", DIRECTORY, DELIVERED))


def place(host: Host, data: bytes = ONE) -> str:
    """A copy of `data` on the host."""
    host_copies.take(host, {}, len(data))
    host_copies.receive(host, io.BytesIO(data), sha256(data).hexdigest())
    return sha256(data).hexdigest()


def damage(host: Host, digest: str) -> None:
    host.write(f"{DIRECTORY}/{digest}", b"damaged", mode="0600")


def test_what_came_is_whole_and_private_and_what_is_damaged_does_not_count(host: Host) -> None:
    assert host_copies.whole(host, DIGESTS) == frozenset()
    one = place(host)
    assert host_copies.whole(host, DIGESTS) == {one}
    directory, file = host.stat((DIRECTORY, f"{DIRECTORY}/{one}"))
    assert (directory.mode, directory.owner, file.mode, file.owner) == ("0700", "root", "0600", "root")
    sink = io.BytesIO()
    host_copies.send(host, one, sink)
    assert sink.getvalue() == ONE
    damage(host, one)
    assert host_copies.whole(host, DIGESTS) == frozenset()
    assert place(host) == one and host_copies.whole(host, DIGESTS) == {one}


def test_a_file_of_the_host_becomes_a_copy_only_where_it_is_what_it_should_be(host: Host, scratch: str) -> None:
    paths = {DIGESTS[0]: f"{scratch}/it's one.deb", DIGESTS[1]: f"{scratch}/other"}
    host.write(paths[DIGESTS[0]], ONE, mode="0755")
    host.write(paths[DIGESTS[1]], b"something else")
    host_copies.take(host, paths, 10)
    assert host_copies.whole(host, DIGESTS) == {DIGESTS[0]}
    assert [one.path for one in host.tree((DIRECTORY,))] == [DIRECTORY, f"{DIRECTORY}/{DIGESTS[0]}"]
    assert host.stat((f"{DIRECTORY}/{DIGESTS[0]}",))[0].mode == "0600"


def test_what_does_not_fit_is_refused_before_anything_is_written(host: Host, scratch: str) -> None:
    one = place(host)
    host.write(f"{scratch}/other", OTHER)
    with pytest.raises(DiskFull, match=f"{host.name}: No space left on device: {DIRECTORY}"):
        host_copies.take(host, {DIGESTS[1]: f"{scratch}/other"}, 1 << 50)
    assert host_copies.whole(host, DIGESTS) == {one}


def test_what_is_dropped_is_gone_and_the_last_takes_the_directory_along(host: Host) -> None:
    one, other = place(host), place(host, OTHER)
    host_copies.drop(host, {one, "0" * 64})
    assert host_copies.whole(host, DIGESTS) == {other}
    host_copies.drop(host, {other})
    assert host.stat((DIRECTORY,))[0].kind == "absent"
    host_copies.drop(host, ())


def test_what_was_lent_can_be_changed_and_taken_away_and_the_copy_stays(host: Host, scratch: str) -> None:
    one, other = place(host), place(host, OTHER)
    damage(host, other)
    places = {f"{scratch}/a": one, f"{scratch}/b": other, f"{scratch}/c": "0" * 64}
    host_copies.lend(host, places)
    assert [state.kind for state in host.stat(tuple(places))] == ["file", "absent", "absent"]
    assert host.read(f"{scratch}/a") == ONE
    host.write(f"{scratch}/a", b"changed")
    assert host_copies.whole(host, [one]) == {one}


@pytest.mark.parametrize("word", ["", "../x", "0" * 63, "0" * 64 + "\n", "A" * 64])
def test_what_is_no_digest_becomes_no_path(host: Host, word: str) -> None:
    for act in (
        lambda: host_copies.whole(host, [word]),
        lambda: host_copies.drop(host, [word]),
        lambda: host_copies.take(host, {word: "/x"}, 1),
    ):
        with pytest.raises(InvalidInput):
            act()


def test_a_copy_that_is_not_there_cannot_be_sent(host: Host) -> None:
    with pytest.raises(CommandFailed):
        host_copies.send(host, "0" * 64, io.BytesIO())


# ---------------------------------------------------------------------- delivery


@pytest.fixture
def escrow(tmp_path: Path) -> Escrow:
    return Escrow.beside(Store(tmp_path / "store"))


def keep(escrow: Escrow, host: Host, data: bytes = ONE, *, here: bool = True) -> str:
    """Kept on the host, and `here` too."""
    digest = place(host, data)
    escrow.holders.add(host.name, {digest})
    if here:
        escrow.store.put(data)
    escrow.keep(Kept(NOVA, digest, len(data), host.name, "cache", "index", "2026-01-01T00:00:00.000+00:00"))
    return digest


def delivered(host: Host, escrow: Escrow) -> bytes:
    (path,) = deliver(host, escrow, [NOVA], "apt").paths
    return host.read(path)


def test_what_stands_on_the_host_is_not_sent(host: Host, escrow: Escrow, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = keep(escrow, host, here=False)
    sent: list[str] = []
    monkeypatch.setattr(type(host), "upload", lambda *told, **_: sent.append(str(told)))
    assert delivered(host, escrow) == ONE and sent == []
    withdraw(host)
    assert host.stat((DELIVERED,))[0].kind == "absent" and host_copies.whole(host, [digest]) == {digest}


def test_a_damaged_copy_comes_from_the_controller_or_is_told_of(host: Host, escrow: Escrow) -> None:
    digest = keep(escrow, host)
    damage(host, digest)
    assert delivered(host, escrow) == ONE
    withdraw(host)
    escrow.store.remove(digest)
    with pytest.raises(Unobtainable, match="the escrow holds no nova-common:all 1 for") as told:
        deliver(host, escrow, [NOVA], "apt")
    assert told.value.exit_code == 21
    assert host.stat((f"{DELIVERED}/{NOVA.file_name}",))[0].kind == "absent"


def test_what_is_damaged_here_is_whole_there(host: Host, escrow: Escrow) -> None:
    digest = keep(escrow, host)
    (escrow.store.root / digest[:2] / digest).write_bytes(b"flipped")
    assert delivered(host, escrow) == ONE
    withdraw(host)
    damage(host, digest)
    with pytest.raises(DigestMismatch):
        deliver(host, escrow, [NOVA], "apt")


# ---------------------------------------------------------------------- heads

CONTROL = "Package: nova-common\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDepends: adduser\nDescription: x\n"


@pytest.mark.parametrize("packed", ["gzip", "xz"])
def test_a_package_says_what_it_demands_by_its_head(host: Host, escrow: Escrow, tmp_path: Path, packed: str) -> None:
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(CONTROL)
    (tmp_path / "tree" / "data").write_bytes(bytes(range(256)) * 4000)
    made = tmp_path / "made.deb"
    subprocess.run(["dpkg-deb", f"-Z{packed}", "--build", tmp_path / "tree", made], check=True, capture_output=True)
    digest = keep(escrow, host, made.read_bytes(), here=False)
    heads = host_copies.heads(host, [digest])
    assert made.read_bytes().startswith(heads[digest]) and len(heads[digest]) < made.stat().st_size
    (found,) = candidates(escrow, [NOVA], heads)
    assert dict(found.control)["Depends"] == "adduser" and (found.digest, found.size) == (digest, made.stat().st_size)
