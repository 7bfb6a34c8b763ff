"""This machine's apt as an oracle: is this set of packages consistent? No root, no network, nothing but files in a directory."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from nornir_upgrade.core.packaging.deb.dependencies import Deb
from tests.rollback.worlds import text_of


class AptOracle:
    """An apt for amd64 and i386 that knows no archive, and as installed what it is told."""

    def __init__(self, root: Path) -> None:
        self.status = root / "status"
        for name in ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "cache/archives/partial"):
            (root / name).mkdir(parents=True)
        (root / "etc/sources.list").touch()
        configuration = root / "apt.conf"
        configuration.write_text(
            f'Dir::Etc "{root}/etc";\nDir::State "{root}";\nDir::State::lists "{root}/lists";\n'
            f'Dir::State::status "{self.status}";\nDir::Cache "{root}/cache";\nDir::Cache::pkgcache "";\n'
            'Dir::Cache::srcpkgcache "";\nAPT::Architecture "amd64";\nAPT::Architectures { "amd64"; "i386"; };\n'
            'Debug::NoLocking "1";\nAcquire::Languages "none";\nDir::Etc::parts "/dev/null";\n'
        )
        self._environment = {"APT_CONFIG": str(configuration), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

    def consistent(self, debs: Iterable[Deb]) -> bool:
        """Whether `apt-get check` has nothing to say against these packages being installed."""
        self.status.write_text("\n".join(map(stanza, debs)))
        done = subprocess.run(
            ("apt-get", "-qq", "check"), env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 100), done.stderr
        assert done.returncode == 0 or "unmet dependencies" in done.stderr.lower(), done.stderr
        return done.returncode == 0


def stanza(one: Deb) -> str:
    """`one` as dpkg's status file has it."""
    fields = {"Package": one.name, "Status": "install ok installed", "Architecture": one.arch, "Version": one.version}
    fields |= {"Maintainer": "nobody", "Description": "nothing"} | text_of(one)
    return "".join(f"{name}: {value}\n" for name, value in fields.items())
