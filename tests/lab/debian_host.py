"""A host with Debian 12 as it comes: sshd, MariaDB, nginx, and a keystone that has its database there; both releases to be had."""

import hashlib
from pathlib import Path

from nornir_upgrade.lab import base
from nornir_upgrade.lab.deb import debian
from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.signing import ArchiveKey, archive_key

HOST = LabHost("deb1", 60, base="cloud")
PASSWORD = "lab"

# The account comes from configuration, so that a MariaDB that begins with new data has it. keystone-manage(1): schema, keys, first
# user. Its workers are as many as the machine has processors: one is enough.
_SET_UP = f"""
systemctl stop keystone
cat > /etc/mysql/accounts.sql <<'END'
CREATE USER IF NOT EXISTS keystone@localhost IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON keystone.* TO keystone@localhost;
END
printf '[mariadbd]\ninit_file = /etc/mysql/accounts.sql\n' > /etc/mysql/mariadb.conf.d/99-accounts.cnf
systemctl restart mariadb
mariadb --execute='CREATE DATABASE keystone'
sed -i '/^.database.$/a connection = mysql+pymysql://keystone:{PASSWORD}@localhost/keystone' /etc/keystone/keystone.conf
sed -i -E 's/^(processes|workers) *=.*/\\1 = 1/' /etc/keystone/keystone-uwsgi.ini
su -s /bin/sh keystone -c 'keystone-manage db_sync'
keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
keystone-manage bootstrap --bootstrap-password {PASSWORD} --bootstrap-public-url http://localhost:5000/v3
systemctl start keystone
apt-get -q update
apt-mark hold less
apt-mark auto tree jq
apt-mark manual libjq1
"""


def up(lab: Lab) -> None:
    """Afterwards the lab has the host, which is as it was provisioned; that was done once, and is kept in the cache."""
    key = archive_key(lab.cache)
    golden = _golden(key)
    kept = lab.frozen(golden, [HOST])
    lab.up([HOST], golden=golden if kept else None)
    debian.offer(base.recipe(HOST.base).path(lab.cache), lab.cache, lab.repositories, key)
    if not kept:
        _provision(lab, key)
        lab.freeze(golden, [HOST.name])


def _golden(key: ArchiveKey) -> str:
    return hashlib.sha256(Path(__file__).read_bytes() + key.public).hexdigest()[:16]


def _provision(lab: Lab, key: ArchiveKey) -> None:
    line = f"{debian.source_line(debian.OLD)}\n".encode()
    for path, data in ((debian.KEYRING, key.public), (f"/etc/apt/sources.list.d/debian-{debian.OLD}.list", line)):
        lab.run(HOST.name, ["sh", "-c", 'umask 022; cat > "$1"', "sh", path], data)
    lab.run(HOST.name, ["sh", "-euc", _SET_UP])
