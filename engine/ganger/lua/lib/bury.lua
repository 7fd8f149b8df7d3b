-- Puts a record among the dead letters and drops what is over their bounds: those that dead_trim noted in meta, or
-- before it has come by the caller's. Needs meta, tracks, dead, jobs and the libs now, bucket and trim.
local function bury(jid, record, max_count, max_age_ms)
  local now = now_ms()
  redis.call('HSET', jobs[bucket(jid)], jid, record)
  redis.call('ZADD', dead, whole(now), jid)
  local noted = redis.call('HMGET', meta, 'dead_count', 'dead_age')
  trim(now, tonumber(noted[1]) or max_count, tonumber(noted[2]) or max_age_ms)
end
