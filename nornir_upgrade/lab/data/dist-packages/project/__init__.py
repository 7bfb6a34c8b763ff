"""A stand-in for one OpenStack project: small daemons over one database, and the command that migrates its schema."""
