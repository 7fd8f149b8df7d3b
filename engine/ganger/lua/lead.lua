#!lua flags=allow-oom
-- Become or stay the leader, if nobody else is.
-- KEYS leader
-- ARGV holder ttl_ms
-- REPLY leading following
-- {word, who leads, for how many ms}. Crash points: none.
local now = redis.call('GET', leader)
if now and now ~= holder then return {'following', now, redis.call('PTTL', leader)} end
redis.call('SET', leader, holder, 'PX', ttl_ms)
return {'leading', holder, tonumber(ttl_ms)}
