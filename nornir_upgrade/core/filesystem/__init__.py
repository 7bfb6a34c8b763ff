"""filesystem: the file systems of a host, whole.

In: a host, or its table of mounts. Out: a picture of every path, and a temporary layer above the root.
`prepare` rehearses on a layer; `rollback.disk` compares pictures.
"""
