"""database: a database engine, and what it can do.

In: names of databases, and output of the engine's clients on a host. Out: argument vectors, pieces of scripts, parsed answers.
`engine` is the protocol; `mariadb` is the only engine. A second engine is one more module here, and a field of the steps that
names it: `steps.databases`, `facts.gather` and `facts.probe` name `MARIADB` until then.
`facts` digests and measures databases with it, `steps` dump and restore them. It runs nothing itself.
"""
