"""What the package says of itself (release.json), and what the administrator says (the project's conffile)."""

import configparser
import json
import urllib.parse
from pathlib import Path

HERE = Path(__file__).parent
RELEASE = json.loads((HERE / "release.json").read_text())


class Unusable(Exception):
    """Starting again will not help: somebody must change the configuration, or migrate the schema."""


def read() -> configparser.ConfigParser:
    """The project's conffile. Raises Unusable where it cannot be read."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(Path(RELEASE["conffile"]).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise Unusable(f"{RELEASE['conffile']}: {error}") from None
    return config


def database(config: configparser.ConfigParser) -> dict[str, object]:
    """Arguments for pymysql.connect, from `[database] connection`. Raises Unusable where that is no mysql URL."""
    url = urllib.parse.urlsplit(config.get("database", "connection", fallback=""))
    if url.scheme != "mysql" or not url.hostname or not url.username or url.path in ("", "/"):
        raise Unusable(f"{RELEASE['conffile']}: [database] connection must be mysql://USER:PASSWORD@HOST/DATABASE")
    return {
        "host": url.hostname,
        "port": url.port or 3306,
        "user": urllib.parse.unquote(url.username),
        "password": urllib.parse.unquote(url.password or ""),
        "database": url.path[1:],
    }
