"""Which lines of a known_hosts file are about a host, as ssh-keygen(1) finds and hashes them."""

import subprocess
from pathlib import Path

import pytest

from nornir_upgrade.core.transport import known_hosts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5oUEmgYqVBJMf8tnHYmvaT5kOhpNDuoVWzs9ZhFqT1"
TEXT = f"""\
# a1 {KEY}
a1,192.0.2.1 {KEY} with a comment

[a1]:2222\t{KEY}
a11 {KEY}
@revoked a1 {KEY}
a1 cut-off
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "known_hosts"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("host", "port", "line"),
    [("a1", 22, f"a1,192.0.2.1 {KEY}"), ("192.0.2.1", 22, f"a1,192.0.2.1 {KEY}"), ("a1", 2222, f"[a1]:2222 {KEY}")],
)
def test_the_lines_of_one_host_and_port(file: Path, host: str, port: int, line: str) -> None:
    assert list(known_hosts.lines(file, known_hosts.place(host, port))) == [line]


def test_nobody_else_is_meant(file: Path) -> None:
    assert not list(known_hosts.lines(file, known_hosts.place("a", 22)))
    assert not list(known_hosts.lines(file, known_hosts.place("a1", 23)))


def test_hashed_names(file: Path) -> None:
    file.write_text(f"a1 {KEY}\na2 {KEY}\n|1|no|base64=== {KEY}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "a1" not in file.read_text().split()
    (found,) = known_hosts.lines(file, "a1")
    assert found.startswith("|1|") and found.endswith(KEY)
    assert found != next(known_hosts.lines(file, "a2"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(known_hosts.lines(tmp_path / "none", "a1"))


def test_a_hash_that_is_not_even_ascii_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "known").write_bytes(b"|1|\xff|AAAA ssh-ed25519 AAAA\n")
    assert not list(known_hosts.lines(tmp_path / "known", "h1"))


def test_lines_come_in_the_files_order_and_a_changed_file_is_read_anew(file: Path) -> None:
    file.write_text(f"a1 {KEY}\n")
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], capture_output=True, check=True)
    file.write_text(file.read_text() + f"a1 {KEY[:-1]}2\n")
    assert [line.rpartition(" ")[2][-1] for line in known_hosts.lines(file, "a1")] == ["1", "2"]
    file.write_text(f"a1 {KEY}\n")
    assert list(known_hosts.lines(file, "a1")) == [f"a1 {KEY}"]
