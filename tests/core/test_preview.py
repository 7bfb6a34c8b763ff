"""What a preview says beside the changes."""

from nornir_upgrade.core.preview_deb import excluders
from nornir_upgrade.core.sections import Section

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
