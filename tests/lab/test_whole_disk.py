"""Pictures of whole disks on a real host: the product's and the tests' own see the same, and both see what changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.filesystem import walk
from nornir_upgrade.core.filesystem.picture import Picture
from nornir_upgrade.lab.lab import Lab
from rollback.disk import rules
from tests.conftest import connect
from tests.lab import whole
from tests.lab.site import Site

pytestmark = pytest.mark.lab

HOST = "h1"
CHANGES = r"""
mkdir -p /srv/odd && cd /srv/odd
printf x >"$(printf 'a\nb')"; printf y >"$(printf '\377\t')"; ln -s 'nowhere at all' link; mkfifo pipe
chmod 0600 /etc/hostname; chown 0:4 /etc/issue
python3 -c 'import os; os.setxattr("/etc/issue", "user.note", b"\0")'
echo line >>/var/log/some.log
rm /usr/bin/tree
"""
CHANGED = {
    "/etc/hostname",
    "/etc/issue",
    "/srv/odd",
    "/srv/odd/a\nb",
    "/srv/odd/\udcff\t",
    "/srv/odd/link",
    "/srv/odd/pipe",
    "/usr/bin/tree",
}


def bare(picture: Picture) -> dict[str, str]:
    """The records, without what a running system changed meanwhile, and what the two read in ways of their own."""
    return {
        path: replace(entry, meaning="", late=False).record()
        for path in picture.records
        if (entry := picture.entry(path)) and not path.startswith(("/var/log/", "/var/lib/nornir-upgrade", "/tmp/"))
    }


def test_both_ways_to_see_a_disk_agree_and_see_what_changes(nodes: Lab, tmp_path: Path) -> None:
    site = Site(tmp_path, nodes, {HOST: ()})
    site.configure()
    own = whole.take(nodes, [HOST])
    host = connect(nodes, HOST)
    product = walk.take(host, rules.meanings(rules.shipped()))
    host.close()
    assert bare(product) == bare(own[HOST])
    assert len(product.records) > 5000 and product.head.xattrs
    site.rollback("snapshot", "--whole")
    nodes.run(HOST, ["sh", "-eu"], CHANGES.encode())
    (verdict,) = whole.differences(own, whole.take(nodes, [HOST]))
    assert {change.path for change in verdict.judgement.unexplained} == CHANGED
    told = site.rollback("diff", "--whole", "--detailed-exitcode", "-o", "json", status=100).document["whole"][HOST]
    assert {one["path"] for one in told["unexplained"]} == {whole_name(path) for path in CHANGED}
    assert "logs" in [one["rule"] for one in told["explained"]]
    assert nodes.run(HOST, ["ls", "-A", "/var/lib/nornir-upgrade/jobs"]).stdout == b""


def whole_name(path: str) -> str:
    return {"/srv/odd/a\nb": r"/srv/odd/a\nb", "/srv/odd/\udcff\t": r"/srv/odd/\xff\t"}.get(path, path)
