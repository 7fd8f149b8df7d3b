"""The host's one voice for what a worker can't do for itself; `python -m gangerd.roles.coordinator`."""
