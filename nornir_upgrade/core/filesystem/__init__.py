"""filesystem: the file systems of a host, whole.

In: a host, or what the kernel says of its mounts. Out: a picture of every path, and a throw-away layer above the root.
`prepare` rehearses on a layer; `rollback.disk` compares pictures.
"""
