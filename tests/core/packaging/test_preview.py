"""What a preview says beside the changes, and of names that changed."""

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from nornir_upgrade.core.errors import DiskFull
from nornir_upgrade.core.packaging.deb.preview import excluders
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.core.transport.sections import RENAMED, Section

SHOWN = """\
Package: shop-core
Version: 2.0-1
Breaks: shop (<< 2.0-1), other:any (<= 1)
Conflicts: shop-common
Package: shop-extras
Version: 2.0-1
Package: shop-more
Version: 1:3.0
Conflicts: shop-common, a | b
"""


def test_who_drives_out_whom() -> None:
    found = excluders(Section("0 excluders", 0, 1, SHOWN))
    assert found["shop-common"] == ("shop-core 2.0-1", "shop-more 1:3.0")
    assert found["shop"] == found["other"] == ("shop-core 2.0-1",)
    assert "shop-extras" not in found


OFFERED = """\
offered() {{
  for name do case " {} " in *" $name "*) echo "$name" ;; esac; done
}}
"""


def asked(which: str, words: str, offered: str) -> list[str]:
    """What a package manager is asked for where a repository has the names `offered`."""
    script = f'{OFFERED.format(offered)}{RENAMED}renamed {which} "$1"'
    return subprocess.run(("sh", "-c", script, "sh", words), capture_output=True, text=True, check=True).stdout.split()


def test_a_renamed_package_is_asked_for_under_its_new_name_where_that_is_offered() -> None:
    words = "libshop-common>python3-shopcore shopapp"
    assert asked("new", words, "python3-shopcore") == ["python3-shopcore", "shopapp"]
    assert asked("both", words, "python3-shopcore") == ["libshop-common", "python3-shopcore", "shopapp"]
    for which in ("both", "new"):
        assert asked(which, words, "libshop-common") == ["libshop-common", "shopapp"]


class Full:
    """A host whose disk fills while apt fetches indexes."""

    name = "web1"

    def run(self, argv: Sequence[str], **_: Any) -> Result:
        said = "E: Failed to fetch http://x/Packages  Write error - write (28: No space left on device)"
        parts = (("begin", "", 0), ("update", "", 100), ("update errors", said, 0), ("packages", "", 0), ("end", "", 0))
        return Result(0, "".join(f"{text}\n{argv[4]} {name} {status}\n" for name, text, status in parts).encode(), b"")


def test_a_disk_that_fills_meanwhile_is_no_repository_that_does_not_answer() -> None:
    with pytest.raises(DiskFull, match=r"web1: E: Failed to fetch .*No space left on device"):
        preview(Full(), {}, {"stage": ("shopapp",)})  # type: ignore[arg-type]
