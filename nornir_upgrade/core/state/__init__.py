"""state: what maintainer scripts change beside the files of their packages.

In: files and tables at known places (accounts, alternatives, diversions, ...). Out: entries, one a thing that can differ.
`places` lists them as data; `harmless` holds the rules for differences that say nothing of where a host is.
`facts` and `steps.state` import it, and `rollback` for areas.
"""
