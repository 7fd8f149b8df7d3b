"""The systems that are measured, one file each; `driver.py` says what such a file must tell."""

from drivers.bullmq import BullMQ
from drivers.celery import Celery
from drivers.dramatiq import Dramatiq
from drivers.driver import Driver
from drivers.ganger import Ganger
from drivers.huey import Huey
from drivers.rq import RQ
from drivers.saq import SAQ
from drivers.sidekiq import Sidekiq
from drivers.taskiq import Taskiq

ALL: list[Driver] = [Ganger(), Celery(), RQ(), Dramatiq(), Huey(), Taskiq(), SAQ(), BullMQ(), Sidekiq()]
