"""What somebody edited after a run is told of before a way back takes it back, and can be had again afterwards."""

import hashlib

from tests.fake.state import File
from tests.rollback.conftest import Site

PATH = "/etc/nova/nova.conf"


def edit(site: Site, data: bytes) -> None:
    host = site.fleet.hosts["cmp1"]
    host.state.files[PATH].data = data
    host.state.told["newer"] = PATH
    host.save()


def test_an_edit_is_told_of_before_the_question_and_its_bytes_are_kept(site: Site) -> None:
    site.go_forward()
    mine = b"[DEFAULT]\nmine = \xff\x00yes\n"
    edit(site, mine)
    told = site.call("apply", "--restore-db", "--yes").stderr
    assert told.index("cmp1: edited since, and will be taken back") < told.index(f"  {PATH}\n") < told.index("wave")
    assert site.present["cmp1"].files[PATH].data != mine

    result = site.call("escrow", "show", "last", "cmp1", PATH)
    assert result.stdout_bytes == mine
    listed = site.json("escrow", "show", "last", "cmp1")["files"]
    (one,) = (file for file in listed if file["path"] == PATH)
    assert one["digest"] == hashlib.sha256(mine).hexdigest()
    assert PATH in site.call("escrow", "show", "last", "cmp1").stdout


def test_what_nobody_edited_is_no_edit(site: Site) -> None:
    site.go_forward()
    site.fleet.hosts["cmp1"].state.told["newer"] = "/etc/motd"  # captured, but no run changed it: it stays
    site.fleet.hosts["cmp1"].state.files["/etc/motd"] = File("file", data=b"hello")
    site.fleet.hosts["cmp1"].save()
    assert "edited since" not in site.call("apply", "--restore-db", "--yes").stderr


def test_names_that_are_none_are_refused_with_those_that_there_are(site: Site) -> None:
    site.go_forward()
    for argv, said in (
        (("last", "nobody"), "cmp1"),
        (("last", "cmp1", "/etc/nova/nova.cnf"), PATH),
        (("last", "cmp1", "/etc/nova"), "has no bytes"),
    ):
        assert said in site.call("escrow", "show", *argv, code=10).output


def test_a_file_with_other_content_is_told_in_words_and_can_be_seen_as_it_was(site: Site) -> None:
    before = site.fleet.hosts["cmp1"].state.files[PATH].data
    site.go_forward()
    edit(site, b"mine")
    told = site.call("diff").stdout
    (line,) = (line for line in told.splitlines() if line.split()[:3] == ["cmp1", "etc", PATH])
    assert line.endswith(" other content") and hashlib.sha256(b"mine").hexdigest()[:12] not in told
    run = site.journal.run("last").id
    (offer,) = (line for line in told.splitlines() if line.startswith("A file as it was: rollback "))
    assert offer.endswith(f"escrow show {run} cmp1 {PATH}")
    assert site.call(*offer.removeprefix("A file as it was: rollback ").split()).stdout_bytes == before
    site.call("snapshot")
    edit(site, b"mine again")
    assert "A file as it was" not in site.call("diff").stdout  # no run captured what that snapshot recorded
