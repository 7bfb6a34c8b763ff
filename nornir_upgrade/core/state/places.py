"""What maintainer scripts change beside the files of their packages: the places, as data, each with its area and its reason.

All of it is compared. What is `restored` is captured before packages change, and put back. `records` says how a file is made of
records that packages and administrators add to: of such a file one record can come back without the others.
"""

from dataclasses import dataclass
from typing import Literal

Area = Literal[
    "etc",
    "accounts",
    "alternatives",
    "diversions",
    "statoverrides",
    "debconf",
    "registries",
    "units",
    "certificates",
    "dpkg",
    "clusters",
    "boot",
]
Records = Literal["", "colon", "path", "stanza"]
"""`colon`: lines whose name ends at the first colon; `path`: lines that end with an absolute path; `stanza`: `Name:` begins each."""


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """A file or a tree. `format` is the format of packages that knows it, '' for any."""

    path: str
    area: Area
    why: str
    format: str = ""
    restored: bool = True
    records: Records = ""


@dataclass(frozen=True, slots=True)
class LeftPlace:
    """A tree below one of `KEPT` that is neither looked at, captured nor restored."""

    path: str
    why: str


KEPT: tuple[KeptPlace, ...] = (
    KeptPlace("/etc", "etc", "configuration, which scripts write as well as packages"),
    KeptPlace("/root/.profile", "etc", "base-files' script writes root's start files; no conffile", "deb"),
    KeptPlace("/root/.bashrc", "etc", "base-files' script writes root's start files; no conffile", "deb"),
    KeptPlace("/etc/passwd", "accounts", "a package's user is added by its script", records="colon"),
    KeptPlace("/etc/group", "accounts", "a package's group is added by its script", records="colon"),
    KeptPlace("/etc/shadow", "accounts", "goes with passwd", records="colon"),
    KeptPlace("/etc/gshadow", "accounts", "goes with group", records="colon"),
    KeptPlace("/etc/subuid", "accounts", "goes with passwd", records="colon"),
    KeptPlace("/etc/subgid", "accounts", "goes with group", records="colon"),
    KeptPlace("/etc/systemd", "units", "enablement, masks, overrides and the default target"),
    KeptPlace("/usr/local/lib/systemd", "units", "an administrator's own units", restored=False),
    KeptPlace("/etc/ssl/certs", "certificates", "the trusted roots, as update-ca-certificates(8) links them", "deb"),
    KeptPlace("/etc/ca-certificates.conf", "certificates", "which roots are trusted; no conffile", "deb"),
    KeptPlace(
        "/usr/local/share/ca-certificates", "certificates", "an administrator's own roots", "deb", restored=False
    ),
    KeptPlace("/etc/pki/ca-trust", "certificates", "the trusted roots, as update-ca-trust(8) extracts them", "rpm"),
    KeptPlace("/var/lib/dpkg/alternatives", "alternatives", "update-alternatives(1) keeps its choices here", "deb"),
    KeptPlace("/etc/alternatives", "alternatives", "the links of the choices"),
    KeptPlace("/var/lib/alternatives", "alternatives", "alternatives(8) keeps its choices here", "rpm"),
    # To divert is to move a file: the list alone, put back, would name files that are elsewhere.
    KeptPlace("/var/lib/dpkg/diversions", "diversions", "dpkg-divert(1) keeps its list here", "deb", restored=False),
    KeptPlace(
        "/var/lib/dpkg/statoverride", "statoverrides", "dpkg-statoverride(1) keeps its list here", "deb", records="path"
    ),
    KeptPlace("/var/cache/debconf/config.dat", "debconf", "the answers that scripts ask for", "deb", records="stanza"),
    KeptPlace("/var/cache/debconf/passwords.dat", "debconf", "the secret answers", "deb", records="stanza"),
    KeptPlace(
        "/var/cache/debconf/templates.dat", "debconf", "the questions that the answers are to", "deb", records="stanza"
    ),
    KeptPlace("/var/lib/ucf/hashfile", "registries", "ucf(1): what it last installed in /etc", "deb", records="path"),
    KeptPlace(
        "/var/lib/ucf/registry", "registries", "ucf(1): which package a file in /etc is of", "deb", records="path"
    ),
    KeptPlace("/var/lib/ucf/cache", "registries", "ucf(1): the texts that it last installed", "deb"),
    KeptPlace("/var/lib/systemd/deb-systemd-helper-enabled", "registries", "which units a script enabled once", "deb"),
    KeptPlace("/var/lib/systemd/deb-systemd-helper-masked", "registries", "which units a script masked", "deb"),
    KeptPlace("/var/lib/systemd/deb-systemd-user-helper-enabled", "registries", "the same of users' units", "deb"),
    KeptPlace("/var/lib/systemd/deb-systemd-user-helper-masked", "registries", "the same of users' units", "deb"),
    KeptPlace("/var/lib/pam", "registries", "pam-auth-update(8): what it wrote to /etc/pam.d", "deb"),
    KeptPlace("/var/lib/shells.state", "registries", "update-shells(8): which shells it put into /etc/shells", "deb"),
    KeptPlace("/var/lib/sgml-base", "registries", "update-catalog(8): the catalogs below /etc/sgml", "deb"),
    KeptPlace("/var/lib/xml-core", "registries", "update-xmlcatalog(8): the catalogs below /etc/xml", "deb"),
    KeptPlace("/var/lib/emacsen-common", "registries", "which add-on packages were set up", "deb"),
    KeptPlace("/var/lib/dictionaries-common", "registries", "which dictionaries were set up, and the default", "deb"),
    KeptPlace("/var/lib/authselect", "registries", "authselect(8): the profile that it wrote to /etc", "rpm"),
    KeptPlace("/var/lib/dpkg/arch", "dpkg", "the foreign architectures", "deb", restored=False),
    KeptPlace("/var/lib/dpkg/triggers/File", "dpkg", "dpkg writes it when packages come and go", "deb", restored=False),
)

BOUND = 256 << 20
"""Bytes that the captured files of a host may have together."""
AT_ONCE = 24 << 20
"""Bytes that are read in one answer. A file that has more is not captured."""
LEFT: tuple[LeftPlace, ...] = (
    LeftPlace("/etc/.git", "etckeeper's history: what was committed since must not be lost"),
    LeftPlace("/etc/.hg", "etckeeper's history"),
    LeftPlace("/etc/.bzr", "etckeeper's history"),
    LeftPlace("/etc/_darcs", "etckeeper's history"),
    LeftPlace("/etc/lvm/archive", "LVM's own history of the volumes, which a way back does not change"),
    LeftPlace("/etc/lvm/backup", "LVM's backup of the volumes as they are now"),
    LeftPlace("/etc/lvm/cache", "LVM's list of devices"),
)

AREAS: tuple[Area, ...] = tuple(dict.fromkeys([one.area for one in KEPT] + ["clusters", "boot"]))
_BY_DEPTH = tuple(sorted(KEPT, key=lambda one: -one.path.count("/")))


def place_of(path: str) -> KeptPlace | None:
    """The nearest place of `KEPT` that `path` is in."""
    return next((one for one in _BY_DEPTH if path == one.path or path.startswith(f"{one.path}/")), None)


def records_of(path: str) -> Records:
    """Of which records the file at `path` is made; '' where it is of none, or none of `KEPT`."""
    return next((one.records for one in KEPT if one.path == path), "")


def left(path: str) -> bool:
    """Whether `path` is in a tree that is left alone."""
    return any(path == one.path or path.startswith(f"{one.path}/") for one in LEFT)


def roots(*, restored: bool) -> tuple[str, ...]:
    """The outermost places; with `restored` of those that are put back."""
    wanted = [one.path for one in KEPT if one.restored or not restored]
    return tuple(path for path in wanted if not any(path.startswith(f"{other}/") for other in wanted))


def areas_of(format: str) -> tuple[Area, ...]:
    """The areas that a host of this format of packages has."""
    known = {one.area for one in KEPT if one.format in ("", format)} | {"clusters", "boot"}
    return tuple(area for area in AREAS if area in known)
