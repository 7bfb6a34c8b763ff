"""What apt calls the file of a package: `name_version_arch.deb`, with some characters quoted."""

# apt's QuoteString (apt-pkg/contrib/strutl.cc), as pkgAcqArchive and `apt-get download` call it. The grammar of names and versions
# leaves only these of all that it quotes.
_QUOTED = str.maketrans({"_": "%5f", ":": "%3a"})


def file_name(name: str, version: str, arch: str) -> str:
    """The name in apt's cache, and of what `apt-get download` writes."""
    return f"{name.translate(_QUOTED)}_{version.translate(_QUOTED)}_{arch.translate(_QUOTED)}.deb"
