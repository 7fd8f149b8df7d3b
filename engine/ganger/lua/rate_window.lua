#!lua flags=allow-oom
-- Notes `cost` in a log of the last `period_us`, if no more than `most` are in it then; else notes nothing.
-- KEYS marker spent
-- ARGV run up_ms period_us most cost nonce
-- USES now life
-- REPLY allowed refused
-- {allowed, what is left}; {refused, us until there is room}.
-- As a restarted server may have forgotten entries, a life begins with a full log. Crash points: the caller dies after
-- this: what it took is spent. A repeat (same nonce) finds its own entries and changes nothing.
local time = redis.call('TIME')
local now, period, cap, n = time[1] * 1000000 + time[2], tonumber(period_us), tonumber(most), tonumber(cost)
local _, began_ms = life(marker, run, up_ms, math.ceil(now / 1000))
local began = began_ms * 1000
redis.call('ZREMRANGEBYSCORE', spent, '-inf', whole(now - period))
if redis.call('ZSCORE', spent, nonce .. ':1') then return {'allowed', cap - redis.call('ZCARD', spent)} end
-- Entries of the future were written before the clock stepped back: they count from now on.
for _, entry in ipairs(redis.call('ZRANGE', spent, '(' .. whole(now), '+inf', 'BYSCORE')) do
  redis.call('ZADD', spent, whole(now), entry)
end
if now < began + period then return {'refused', began + period - now} end
local count = redis.call('ZCARD', spent)
if count + n > cap then
  local last = redis.call('ZRANGE', spent, count + n - cap - 1, count + n - cap - 1, 'WITHSCORES')
  return {'refused', math.max(1, (tonumber(last[2]) or now) + period - now)}
end
for place = 1, n do redis.call('ZADD', spent, whole(now), nonce .. ':' .. place) end
redis.call('PEXPIRE', spent, math.ceil(period / 1000) + 1000)
return {'allowed', cap - count - n}
