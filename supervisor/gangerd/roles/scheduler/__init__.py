"""The duties of the whole cluster, done by one elected leader; `python -m gangerd.roles.scheduler`."""
