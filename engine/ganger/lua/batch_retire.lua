#!lua flags=allow-oom
-- Batches that can owe nothing any more: off the list of those to look at. What is not there may be about to be made,
-- so it stays for a while; what has been over for long is forgotten.
-- KEYS live over
-- ARGV grace_ms keep_ms rows...
-- USES now
-- REPLY retired
-- rows = bid, over or gone each. {retired, number}. Crash points: none.
local now, count = now_ms(), 0
for i = 1, #rows, 2 do
  local since = tonumber(redis.call('ZSCORE', live, rows[i]) or now)
  if rows[i + 1] == 'over' or now - since > tonumber(grace_ms) then
    count = count + redis.call('ZREM', live, rows[i])
    if rows[i + 1] == 'over' then redis.call('ZADD', over, whole(now), rows[i]) end
  end
end
redis.call('ZREMRANGEBYSCORE', over, '-inf', whole(now - keep_ms))
return {'retired', count}
