"""Debian's archive as the lab keeps it: fetched once, by this machine's apt, and a picture that holds still."""

import functools
import hashlib
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nornir_upgrade.lab import mirror, web
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.mirror import DAY, Mirror, NotThere

RELEASE = "debian/dists/bookworm/InRelease"
POOL = "debian/pool/main/h/hello/hello_1%3a2.10-3_amd64.deb"
DATA = b"an index"
HASHED = f"debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/{hashlib.sha256(DATA).hexdigest()}"


@dataclass(slots=True)
class Archive:
    """An archive on this machine, which counts what it was asked for."""

    root: Path
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    clock: float = 0.0

    def write(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def mirror(self, cache: Path, picture: str = "picture") -> Mirror:
        """One of a lab; `clock` is by how many seconds it is later than it is."""
        return Mirror(cache, cache / picture, tell=self.said.append, now=lambda: self.clock + (cache.stat().st_ctime))


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    found = Archive(tmp_path / "archive")
    found.root.mkdir()

    class Counted(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            found.asked.append(self.path.removeprefix("/"))
            super().do_GET()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Counted, directory=str(found.root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(mirror, "sites", lambda: {"debian": (f"{url}/gone", f"{url}/debian")})
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    made = tmp_path / "cache"
    made.mkdir()
    return made


def test_a_package_is_fetched_once_from_the_site_that_has_it(archive: Archive, cache: Path) -> None:
    archive.write("debian/pool/main/h/hello/hello_1:2.10-3_amd64.deb", b"a package")
    archive.write("debian/pool/main/h/hello/hello_1%3a2.10-3_amd64.deb", b"a package")
    for _ in range(2):
        assert archive.mirror(cache).file(POOL).read_bytes() == b"a package"
    assert len(archive.asked) == 2 and archive.asked[0].startswith("gone/")
    assert not list((cache / "mirror").glob("partial-*"))


def test_an_index_holds_still_for_a_day_in_each_lab(archive: Archive, cache: Path) -> None:
    archive.write(RELEASE, b"first")
    early = archive.mirror(cache, "early")
    assert early.file(RELEASE).read_bytes() == b"first"
    archive.write(RELEASE, b"second")
    assert archive.mirror(cache, "late").file(RELEASE).read_bytes() == b"first"
    archive.clock = DAY + 60
    assert archive.mirror(cache, "late").file(RELEASE).read_bytes() == b"second"
    archive.write(RELEASE, b"third")
    assert archive.mirror(cache, "later").file(RELEASE).read_bytes() == b"third"


def test_where_the_archive_does_not_answer_what_was_there_is_served_on(
    archive: Archive, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write(RELEASE, b"first")
    archive.mirror(cache).file(RELEASE)
    archive.clock = DAY + 60
    monkeypatch.setattr(mirror, "sites", lambda: {"debian": ("http://127.0.0.1:1/debian",)})
    assert archive.mirror(cache).file(RELEASE).read_bytes() == b"first"
    assert [one for one in archive.said if RELEASE in one and "127.0.0.1" in one]
    with pytest.raises(LabError, match="Connection refused"):
        archive.mirror(cache).file(POOL)


def test_an_index_named_by_its_digest_is_that_index(archive: Archive, cache: Path) -> None:
    archive.write(HASHED, b"something else")
    with pytest.raises(LabError, match="another file"):
        archive.mirror(cache).file(HASHED)
    archive.write(HASHED, DATA)
    assert archive.mirror(cache).file(HASHED).read_bytes() == DATA
    archive.clock = 10 * DAY
    (archive.root / HASHED).unlink()
    assert archive.mirror(cache).file(HASHED).read_bytes() == DATA


@pytest.mark.parametrize(
    "path",
    ["debian/dists/bookworm/nothing", "debian/../../etc/passwd", "debian/pool/../x", "debian/pool/.x", "debian", "x/y"],
)
def test_what_the_archive_does_not_have_is_not_there(archive: Archive, cache: Path, path: str) -> None:
    with pytest.raises(NotThere):
        archive.mirror(cache).file(path)


def test_many_who_want_the_same_wait_for_one(archive: Archive, cache: Path) -> None:
    archive.write("debian/pool/a_1_all.deb", b"x" * (1 << 20))
    found = archive.mirror(cache)
    threads = [threading.Thread(target=found.file, args=("debian/pool/a_1_all.deb",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert archive.asked.count("debian/pool/a_1_all.deb") == 1


def test_hosts_see_the_archive_beside_the_labs_own_files(
    archive: Archive, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.write(RELEASE, b"first")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "greeting").write_text("hello\n")
    with web.proxy(tmp_path / "own", archive.mirror(cache)) as url:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": url}))
        assert opener.open("http://lab.invalid/greeting").read() == b"hello\n"
        assert opener.open(f"http://lab.invalid/{RELEASE}").read() == b"first"
        for path, status in (("debian/pool/a", 404), ("debian/../greeting", 404), ("debian-security/pool/a", 502)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                opener.open(f"http://lab.invalid/{path}")
            assert refused.value.code == status
    assert "no site for debian-security" in capsys.readouterr().err
