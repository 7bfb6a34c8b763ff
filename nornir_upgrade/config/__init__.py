"""config: `config.yaml`, and YAML read with the place of every value.

In: YAML files of the user. Out: `Settings`, and nodes. The refusal of a node names file, line and key.
The room `console` and those above it import it.
"""
