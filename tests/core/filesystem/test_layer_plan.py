"""How a throw-away layer is mounted, out of what hosts say of their mounts; where its files are; how much room it takes."""

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.filesystem.layer_plan import HOME, RESERVE, Layered, Place, layered, needed, places, roomy
from nornir_upgrade.core.filesystem.mounts import parse

SERVER = """\
22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw,errors=remount-ro
23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw
24 22 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw
25 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=1k
26 25 0:23 / /dev/shm rw,nosuid shared:4 - tmpfs tmpfs rw
27 22 0:24 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
28 27 0:25 / /run/lock rw shared:6 - tmpfs tmpfs rw
31 22 253:1 / /var rw,relatime shared:30 - xfs /dev/mapper/vg-var rw
32 31 253:2 / /var/lib rw,relatime shared:31 - ext4 /dev/mapper/vg-lib rw
33 22 8:1 / /boot rw,relatime shared:32 - ext4 /dev/sda1 rw
34 33 8:2 / /boot/efi rw,relatime shared:33 - vfat /dev/sda2 rw
35 22 0:40 / /home rw,relatime shared:34 - nfs4 filer:/home rw
36 22 253:1 /srv /srv rw,relatime shared:35 - xfs /dev/mapper/vg-var rw
37 22 253:3 / /mnt/two\\040words rw,relatime shared:36 - ext4 /dev/sdb1 rw
38 22 7:0 / /snap/core ro,nodev shared:37 - squashfs /dev/loop0 ro
39 22 0:41 / /tmp rw - tmpfs tmpfs rw
40 22 253:4 / /usr ro,relatime shared:38 - ext4 /dev/mapper/vg-usr ro
41 22 0:42 /conf /etc/resolv.conf rw - ext4 /dev/sdc rw
42 22 0:50 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
"""


def test_every_file_system_that_packages_write_to_is_an_overlay_of_its_own() -> None:
    plan = layered(parse(SERVER), files=("/etc/resolv.conf",))
    assert [one.path for one in plan if one.how == "overlay"] == ["/", "/boot", "/srv", "/usr", "/var", "/var/lib"]
    read_only = {one.path for one in plan if one.how == "read-only"}
    assert read_only == {"/boot/efi", "/home", "/mnt/two words", "/snap/core", "/etc/resolv.conf"}
    assert [one.path for one in plan if one.how == "empty"] == ["/tmp"]
    order = [one.path for one in plan]
    assert order.index("/") == 0 and order.index("/var") < order.index("/var/lib")


def test_the_last_mount_at_a_place_is_the_one_that_shows() -> None:
    over = SERVER + "43 32 253:9 / /var/lib rw - vfat /dev/sdz rw\n"
    assert Layered("read-only", "/var/lib") in layered(parse(over))


def test_a_root_that_overlays_refuse_is_told() -> None:
    with pytest.raises(InvalidInput, match="root file system"):
        layered(parse("22 1 253:0 / / rw - vfat /dev/sda1 rw\n"))


def test_the_layers_files_are_where_most_room_is_and_in_memory_at_last() -> None:
    free = {"/": 10, "/var": 50, "/var/lib": 30, "/boot": 1, "/usr": 99, "/srv": 98, "/home": 97, "/run": 96}
    found = places(parse(SERVER), free, memory=44)
    assert found == (
        Place("/srv/.nornir-upgrade-rehearsal", 98),
        Place("/var/.nornir-upgrade-rehearsal", 50),
        Place(HOME, 30),
        Place("/.nornir-upgrade-rehearsal", 10),
        Place("/boot/.nornir-upgrade-rehearsal", 1),
        Place("", 22),
    )


def test_on_a_disk_room_is_left_to_the_host() -> None:
    found = (Place("/a", 100 + RESERVE), Place("/b", 99 + RESERVE), Place("", 100))
    assert roomy(found, 100) == (found[0], found[2])
    assert roomy(found, 100 + RESERVE) == ()


def test_a_new_package_is_taken_to_be_as_large_as_the_others() -> None:
    sizes = {("a", "all"): 30, ("b", "all"): 10, ("c", "all"): 80}
    none = needed([], 0, sizes)
    assert needed([("a", "all"), ("b", "all")], 0, sizes) - none == 2 * 40
    assert needed([("a", "all"), ("b", "all")], 3, sizes) - none == 2 * (40 + 3 * 20)
    assert needed([], 1, sizes) - none == 2 * 40
