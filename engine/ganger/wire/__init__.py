"""The transport under ganger.cluster: sockets, circuit breakers, replies, and one trip to many nodes.

Nothing outside ganger.cluster imports from here. Below it there is only hiredis, for packing and parsing.
"""
