"""How a shipped conffile comes to name its database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.lab import payload
from nornir_upgrade.lab.databases import Databases, connected
from nornir_upgrade.lab.deb.fleet import CONTROL
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.releases import RELEASES
from nornir_upgrade.lab.rpm.releases import RPM_RELEASES

URL = "mysql://user:pass\\1@host/database"
lines = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\r\n")), max_size=4)


@given(lines, lines)
def test_only_the_line_of_the_connection_changes(above: list[str], below: list[str]) -> None:
    before = "\n".join([*(f"#{line}" for line in above), "connection = old", *(f"#{line}" for line in below)])
    after = connected(before, URL).split("\n")
    assert after.pop(len(above)) == f"connection = {URL}"
    assert after == [f"#{line}" for line in (*above, *below)]


@pytest.mark.parametrize("text", ["", "# connection = x\n", "connection = x\nconnection = y\n"])
def test_not_just_one_line_is_an_error(text: str) -> None:
    with pytest.raises(LabError, match="not one"):
        connected(text, URL)


def test_every_shipped_conffile_can_be_connected() -> None:
    for release in (*RELEASES, *RPM_RELEASES):
        for project in release.projects:
            shipped = payload.conffile(project.conffile, release).data.decode()
            assert f"connection = {URL}\n" in connected(shipped, URL)


def test_the_password_does_not_show_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    databases = Databases(Lab(tmp_path_factory.mktemp("lab")), CONTROL, "sesame")
    assert "sesame" not in repr(databases)
