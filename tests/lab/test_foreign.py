"""Somebody installs a database after a run, on a real host: a way back leaves it, and its data outlive even its removal."""

import pytest

from tests.lab.site import ONE, Site

pytestmark = pytest.mark.lab

DATA = "/var/lib/shopdb/precious"
# A stand-in for PostgreSQL: data in /var/lib that only its postrm deletes, a conffile, a user, a library that it needs.
_INSTALL = """\
set -e
make() {
  name=$1; shift
  mkdir -p "$name/DEBIAN"
  printf '%s\\n' "Package: $name" "Version: 1.0" "Architecture: all" "Maintainer: nobody" "Description: stand-in" "$@" \\
    >"$name/DEBIAN/control"
}
cd "$(mktemp -d)"
make libshopdb
make shopdb "Depends: libshopdb"
mkdir -p shopdb/etc/shopdb
echo port=1 >shopdb/etc/shopdb/shopdb.conf
echo /etc/shopdb/shopdb.conf >shopdb/DEBIAN/conffiles
cat >shopdb/DEBIAN/postinst <<'END'
#!/bin/sh
mkdir -p /var/lib/shopdb
END
cat >shopdb/DEBIAN/postrm <<'END'
#!/bin/sh
[ "$1" != purge ] || rm -rf /var/lib/shopdb
END
chmod 755 shopdb/DEBIAN/postinst shopdb/DEBIAN/postrm
for name in libshopdb shopdb; do dpkg-deb --build "$name" >/dev/null; dpkg -i "$name.deb" >/dev/null; done
echo rows >/var/lib/shopdb/precious
"""
_DATA = """\
mkdir -p /var/lib/shop && echo rows >/var/lib/shop/rows
printf '#!/bin/sh\\nrm -rf /var/lib/shop\\n' >"$1" && chmod 755 "$1"
"""
_STATE = "${db:Status-Status}"


def state(site: Site, name: str) -> str:
    return site.text("cmp1", "sh", "-c", f"dpkg-query -W -f '{_STATE}' {name} 2>/dev/null || echo absent").strip()


def data(site: Site) -> str:
    return site.text("cmp1", "sh", "-c", f"cat {DATA} 2>/dev/null || echo gone").strip()


def test_what_somebody_installed_since_stays_and_its_data_outlive_its_removal(small: Site) -> None:
    small.forward(*ONE)
    small.text("cmp1", "sh", "-c", _INSTALL)
    manifest = small.rollback("compute", *ONE, "-o", "json").document["manifests"][0]
    assert manifest["foreign"] == ["libshopdb:all", "shopdb:all"]

    done = small.rollback("apply", *ONE, "--yes")
    assert "installed by others since" in done.err and "shopdb 1.0" in done.err
    assert (state(small, "shopdb"), data(small)) == ("installed", "rows")
    assert state(small, "python-oslo.messaging") == "absent"
    assert "Nothing to do" in small.rollback("apply", *ONE, "--yes").out

    done = small.rollback("apply", *ONE, "--remove-foreign", "--yes")
    assert "purge it with --purge shopdb" in done.err and "\n  purge libshopdb" not in done.err
    assert (state(small, "shopdb"), data(small)) == ("config-files", "rows")
    assert small.text("cmp1", "cat", "/etc/shopdb/shopdb.conf").strip() == "port=1"
    assert "Nothing to do" in small.rollback("apply", *ONE, "--yes").out
    assert data(small) == "rows"

    done = small.rollback("apply", *ONE, "--purge", "shopdb", "--yes")
    assert "cmp1:\n  purged: shopdb" in done.err
    assert (state(small, "shopdb"), data(small)) == ("absent", "gone")
    assert "No difference" in small.rollback("diff", *ONE).out


def test_an_undoing_removes_what_the_run_brought_and_leaves_data_that_came_there(small: Site) -> None:
    small.forward(*ONE, "--stop-after", "2", status=3)
    assert state(small, "python-oslo.messaging") == "installed"
    small.text("cmp1", "sh", "-c", _DATA, "sh", "/var/lib/dpkg/info/python-oslo.messaging.postrm")
    done = small.upgrade("unwind", "--yes")
    assert "kept with their data: python-oslo.messaging (/var/lib/shop)" in done.err
    assert state(small, "python-oslo.messaging") == "config-files"
