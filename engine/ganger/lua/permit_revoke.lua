#!lua flags=allow-oom
-- Takes a permit from its holder: this server renews it no more. The seat is free when its time is over, or, with
-- at_once, now.
-- KEYS taken holders revoked
-- ARGV ttl_ms token seat at_once
-- USES now
-- REPLY revoked
-- Crash points: none within; a repeat does the same once more.
redis.call('ZADD', revoked, whole(now_ms() + tonumber(ttl_ms)), token)
redis.call('PEXPIRE', revoked, ttl_ms)
local record = redis.call('HGET', holders, seat)
if at_once == '1' and record and string.sub(record, 1, #token + 1) == token .. '|' then
  redis.call('ZREM', taken, seat)
  redis.call('HDEL', holders, seat)
end
return {'revoked'}
