#!lua
-- A batch is about to be made: from here on the scheduler looks at it.
-- KEYS live over
-- ARGV bid
-- USES now
-- REPLY registered
-- Crash points: none.
-- The sentinel is written anew by a repeat as well: who waits for replicas waits for this connection's last write.
redis.call('ZREM', live, '')
redis.call('ZADD', live, '+inf', '')
redis.call('ZADD', over, 'NX', '+inf', '')
redis.call('ZADD', live, 'NX', whole(now_ms()), bid)
return {'registered'}
