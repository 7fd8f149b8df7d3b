-- Puts a record among the dead letters and drops the oldest that are too many or too old, 100 a call at most.
-- Needs meta, dead, jobs and the libs now and bucket.
local function bury(jid, record, max_count, max_age_ms)
  local now = now_ms()
  redis.call('HSET', jobs[bucket(jid)], jid, record)
  redis.call('ZADD', dead, whole(now), jid)
  local old = redis.call('ZCOUNT', dead, '-inf', whole(now - max_age_ms))
  local over = redis.call('ZCARD', dead) - 1 - max_count
  local count = math.min(math.max(old, over), 100)
  if count <= 0 then return end
  for _, victim in ipairs(redis.call('ZRANGE', dead, 0, count - 1)) do
    redis.call('HDEL', jobs[bucket(victim)], victim)
    redis.call('ZREM', dead, victim)
  end
  redis.call('HINCRBY', meta, 'trimmed', count)
end
