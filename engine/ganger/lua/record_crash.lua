#!lua flags=allow-oom
-- Keeps a post-mortem once, the newest so many of them, and a total per cause.
-- KEYS crashes crash_records totals
-- ARGV death_id cause record max_count
-- USES now
-- REPLY recorded repeat
-- Crash points: none.
if redis.call('HSETNX', crash_records, death_id, record) == 0 then return {'repeat'} end
redis.call('ZADD', crashes, 'NX', '-inf', '')
redis.call('ZADD', crashes, whole(now_ms()), death_id)
redis.call('HINCRBY', totals, cause, 1)
local over = redis.call('ZCARD', crashes) - 1 - max_count
if over > 0 then -- the sentinel is the lowest, hence from 1
  for _, old in ipairs(redis.call('ZRANGE', crashes, 1, math.min(over, 100))) do
    redis.call('HDEL', crash_records, old)
    redis.call('ZREM', crashes, old)
  end
end
return {'recorded'}
