#!lua flags=allow-oom
-- Become or stay the leader, if nobody else is.
-- KEYS leader
-- ARGV holder ttl_ms
-- REPLY leading following
-- {word, who leads, for how many ms}. Crash points: none.
local now = redis.call('GET', leader)
if now and now ~= holder then
  -- Longer than anybody leads unasked: the clock was set back, and one that is dead would lead until it is there again.
  if redis.call('PTTL', leader) > tonumber(ttl_ms) then redis.call('PEXPIRE', leader, ttl_ms) end
  return {'following', now, redis.call('PTTL', leader)}
end
redis.call('SET', leader, holder, 'PX', ttl_ms)
return {'leading', holder, tonumber(ttl_ms)}
