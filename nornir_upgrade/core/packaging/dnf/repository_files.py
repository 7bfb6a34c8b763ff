"""Files of repositories that dnf reads (dnf.conf(5), reposdir), and how their indexes are fetched."""

from nornir_upgrade.core.packaging.family import Renames, Rewritten, Update
from nornir_upgrade.core.packaging.rpm import repo_file
from nornir_upgrade.core.transport.host import Host


class DnfRepositoryFiles:
    """The .repo files in /etc/yum.repos.d."""

    path = r"/etc/yum\.repos\.d/[A-Za-z0-9_.-]+\.repo"
    what = "a file that dnf reads in /etc/yum.repos.d"
    place = r"/etc/yum\.repos\.d/[^/]+\.repo"
    place_words = "no .repo file in /etc/yum.repos.d/"
    secret = "as a variable in /etc/dnf/vars, dnf.conf(5)"
    directory = "/etc/yum.repos.d"
    main = ""
    endings: tuple[str, ...] = (".repo",)
    in_place = False
    refusal = "two files may not name one repository at the same time, and the old one is kept until all is done"
    rewritable = ""
    rewritable_what = ""
    pins = ""

    def update(self, path: str, data: bytes) -> Update | None:
        """dnf, with those repositories alone that the file enables."""
        enabled = [word for name in repo_file.enabled(data.decode()) for word in ("--repo", name)]
        argv = (
            "dnf",
            "--setopt=*.skip_if_unavailable=False",
            "--setopt=exit_on_lock=True",
            *enabled,
            "--refresh",
            "makecache",
        )
        return Update(argv, "dnf makecache") if enabled else None

    def forget(self, host: Host, path: str) -> None:
        """dnf takes no index for current that it could not fetch."""

    def rewrite(self, path: str, text: str, renames: Renames) -> Rewritten | None:
        """Such a file names no suites."""
        return None
