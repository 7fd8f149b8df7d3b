"""A few commands to an embedded server: to set it up and to stop it; the daemon's only user of redis-py.

Setting up needs neither slot map nor retries nor speed, so the engine's transport is not used here, and the
servers role stays free of it. One plain connection of redis-py, its own retries switched off.
"""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

Reply = bytes | int | None | list["Reply"]


class Refusal(Exception):
    """The server answered with an error."""


def ask(port: int, password: str, *commands: tuple[str, ...], timeout_s: float = 1.0) -> Reply:
    """Log in, send the commands one after the other, return the last reply.

    Raises OSError when the server is not there or says nothing in time (ConnectionError when it hangs up,
    as it does after SHUTDOWN), Refusal when it answers with an error."""
    reply: Reply = None
    connection = redis.Connection(  # type: ignore[no-untyped-call]
        host="127.0.0.1",
        port=port,
        password=password,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    try:
        for command in commands:
            connection.send_command(*command)  # type: ignore[no-untyped-call]
            reply = connection.read_response()
    except redis.TimeoutError as error:
        raise TimeoutError(str(error)) from error
    except (redis.AuthenticationError, redis.ResponseError) as error:
        raise Refusal(str(error)) from error
    except redis.ConnectionError as error:  # LOADING is one of these too: not yet there
        raise ConnectionResetError(str(error)) from error
    finally:
        connection.disconnect()  # type: ignore[no-untyped-call]
    return reply
