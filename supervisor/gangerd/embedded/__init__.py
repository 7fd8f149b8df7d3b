"""The servers ganger brings along: a cluster and a standalone server on loopback, for development and for
a single machine. Used by the servers role and by `ganger embedded`."""
