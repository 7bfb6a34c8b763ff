"""Which file systems a picture is taken of."""

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.filesystem.mounts import Choice, LeftOut, Mount, choose, parse

ROOT = Mount("8:1", "/", "/", "ext4")


def mount(point: str, kind: str, device: str = "0:9", root: str = "/") -> Mount:
    return Mount(device, root, point, kind)


def roots(*mounts: Mount) -> tuple[str, ...]:
    return choose((ROOT, *mounts)).roots


def test_a_line_of_mountinfo_with_odd_names() -> None:
    line = (
        r"36 35 98:0 /mnt\0401 /mnt\0122\134 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue"
    )
    assert parse(line + "\n") == (Mount("98:0", "/mnt 1", "/mnt\n2\\", "ext3"),)


@pytest.mark.parametrize("line", ["", " ", "36 35 98:0 / / rw ext3", "36 35 98:0 / / rw - "])
def test_a_line_that_is_no_mount_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="not a mount"):
        parse(f"{line}\n")


def test_file_systems_of_the_kernel_of_the_network_and_of_containers_are_left_out_with_the_reason() -> None:
    found = choose(
        (
            ROOT,
            mount("/proc", "proc"),
            mount("/srv/nas", "nfs4"),
            mount("/mnt/s3", "fuse.s3fs"),
            mount("/var/lib/docker/overlay2/x/merged", "overlay"),
            mount("/usb", "fuseblk"),
            mount("/boot", "vfat", "8:2"),
        )
    )
    assert found.roots == ("/", "/boot", "/usb")
    assert {out.point: out.why.split(",")[0] for out in found.left_out} == {
        "/proc": "proc",
        "/srv/nas": "nfs4",
        "/mnt/s3": "fuse.s3fs",
        "/var/lib/docker/overlay2/x/merged": "overlay",
    }


def test_the_root_counts_whatever_it_is() -> None:
    assert choose((mount("/", "overlay"),)) == Choice(("/",), ())
    assert choose((mount("/", "tmpfs"),)) == Choice(("/",), ())


def test_what_is_mounted_inside_of_what_is_left_out_is_left_out_in_silence() -> None:
    found = choose((ROOT, mount("/dev", "tmpfs"), mount("/dev/null", "devtmpfs"), mount("/dev/disk", "ext4", "8:9")))
    assert (found.roots, found.left_out) == (("/",), (LeftOut("/dev", "tmpfs, in memory"),))


def test_a_directory_bound_on_its_own_file_system_is_walked_once() -> None:
    assert roots(mount("/home", "ext4", "8:1", "/srv/home")) == ("/",)


def test_a_subvolume_is_walked_for_itself() -> None:
    assert choose((mount("/", "btrfs", "0:30", "/root"), mount("/home", "btrfs", "0:30", "/home"))).roots == (
        "/",
        "/home",
    )


def test_of_two_mounts_at_one_point_the_last_is_seen() -> None:
    assert roots(mount("/data", "ext4", "8:3"), mount("/data", "nfs")) == ("/",)


def test_a_neighbour_with_a_longer_name_is_not_inside() -> None:
    assert roots(mount("/data", "nfs"), mount("/database", "xfs", "8:4")) == ("/", "/database")
