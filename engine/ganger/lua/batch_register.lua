#!lua
-- A batch is about to be made: from here on the scheduler looks at it.
-- KEYS live over
-- ARGV bid
-- USES now
-- REPLY registered
-- Crash points: none.
redis.call('ZADD', live, 'NX', '+inf', '')
redis.call('ZADD', over, 'NX', '+inf', '')
redis.call('ZADD', live, 'NX', whole(now_ms()), bid)
return {'registered'}
