"""The project's command for its schema: brings it up to date, or prints its version."""

import sys

import pymysql

from . import settings, store


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0 done, 1 the database does not let us, 2 no such command."""
    commands = {tuple(settings.RELEASE["sync"]): store.migrate, tuple(settings.RELEASE["show"]): store.schema}
    command = commands.get(tuple(arguments))
    if command is None:
        known = " | ".join(" ".join(words) for words in commands)
        print(f"usage: {settings.RELEASE['manage']} {known}", file=sys.stderr)
        return 2
    try:
        with store.connect(settings.read()) as connection:
            print(command(connection))
    except (settings.Unusable, pymysql.MySQLError) as error:
        print(f"{settings.RELEASE['manage']}: {error}", file=sys.stderr)
        return 1
    return 0
