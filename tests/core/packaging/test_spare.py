"""A restore that leaves alone what is of packages that stay."""

from pathlib import Path

from nornir_upgrade.core.store import Store
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from tests.fake.fleet import open_fleet
from tests.fake.hosts import havana, place
from tests.fake.state import File


def test_what_is_spared_stays_as_it_is_whether_it_was_there_or_not(tmp_path: Path) -> None:
    place(havana("cmp1", ("nova-compute",)), tmp_path)
    host, store = open_fleet(tmp_path).hosts["cmp1"], Store(tmp_path / "store")
    before = CaptureFiles(("/etc",), "all").observe(host, store)
    assert isinstance(before, RestoreFiles)
    for path, kind in (("/etc/shopdb", "directory"), ("/etc/shopdb/a.conf", "file"), ("/etc/litter", "file")):
        host.state.files[path] = File(
            kind, "0755" if kind == "directory" else "0644", data=b"x" if kind == "file" else b""
        )
    host.state.files["/etc/nova/nova.conf"].data = b"edited"
    RestoreFiles(before.roots, before.entries, spare=("/etc/shopdb", "/etc/nova/nova.conf")).apply(host, store)
    assert "/etc/shopdb/a.conf" in host.state.files and "/etc/litter" not in host.state.files
    assert host.state.files["/etc/nova/nova.conf"].data == b"edited"
    before.apply(host, store)
    assert "/etc/shopdb" not in host.state.files and host.state.files["/etc/nova/nova.conf"].data != b"edited"
