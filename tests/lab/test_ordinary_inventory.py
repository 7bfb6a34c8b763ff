"""The inventory that `lab up ordinary` writes, as both command lines read it."""

from pathlib import Path

from nornir_upgrade.config import settings
from nornir_upgrade.core.inventory import fleet
from nornir_upgrade.lab import ordinary, ordinary_inventory
from nornir_upgrade.lab.lab import Lab

SECRET = "an odd: 'one' #"


def test_every_host_is_in_it_and_nobody_else_may_read_the_password(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", prefix="127.99.9")
    lab.directory.mkdir()
    lab.ssh_config.write_text("Host bastion\n  Port 10022\n")
    config = ordinary_inventory.write(lab, ordinary.FLEET, SECRET)
    assert ordinary_inventory.write(lab, ordinary.FLEET, SECRET) == config

    assert settings.read(config).lab.resolve() == lab.directory
    found = fleet.load(config)
    assert {host.name for host in found.hosts} == {host.name for host in ordinary.FLEET}
    holding = [path for path in config.parent.rglob("*") if path.is_file() and "an odd" in path.read_text()]
    assert [path.name for path in holding] == ["hosts.yaml"]
    assert holding[0].stat().st_mode & 0o777 == 0o600
    first, _, rest = (config.parent / "ssh_config").read_text().partition("ProxyJump bastion\n")
    assert first.startswith("Host db1 10.99.0.34\n") and rest == lab.ssh_config.read_text()
