"""Limits that hold across hosts: semaphores and rates on independent standalone Redis servers.

`semaphore` and `rate_limit` (offered by the package ganger itself) are what applications use; the daemon uses
`Semaphore`, `Rates` and `Servers`. What is decided, and why the limit holds, is in quorum.py and rates.py;
neither does I/O. A throttle knows nothing of queues and jobs.
"""
