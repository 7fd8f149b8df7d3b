-- Drops the oldest dead letters that are too many or too old, 100 a call at most; answers how many. What they kept
-- (progress, a checkpoint) goes with them. Needs meta, tracks, dead, jobs and lib bucket.
local function trim(now, max_count, max_age_ms)
  local old = redis.call('ZCOUNT', dead, '-inf', whole(now - max_age_ms))
  local over = redis.call('ZCARD', dead) - 1 - max_count
  local count = math.min(math.max(old, over), 100)
  if count <= 0 then return 0 end
  for _, victim in ipairs(redis.call('ZRANGE', dead, 0, count - 1)) do
    redis.call('HDEL', jobs[bucket(victim)], victim)
    redis.call('ZREM', dead, victim)
    redis.call('HDEL', tracks, 'c:' .. victim, 'p:' .. victim)
  end
  redis.call('HINCRBY', meta, 'trimmed', count)
  return count
end
