"""scenarios: the upgrades that are shipped, one YAML file each.

`scenario.loader` reads them. There is no code here.
"""
