"""config: `config.yaml`, and YAML read with the place of every value.

In: YAML files of the user. Out: `Settings`, and nodes that name file, line and key when one is refused.
Rooms from `console` up import it.
"""
