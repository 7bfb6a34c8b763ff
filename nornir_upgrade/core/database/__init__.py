"""database: a database engine, and what it can do.

In: names of databases, and output of the engine's clients on a host. Out: argument vectors, pieces of scripts, parsed answers.
`engine` is the protocol; `mariadb` is the only engine. A second engine would be one more module here.
`facts` digests and measures databases with it, `steps` dump and restore them. It runs nothing itself.
"""
