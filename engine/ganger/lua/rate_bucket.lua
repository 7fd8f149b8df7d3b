#!lua flags=allow-oom
-- Takes `cost` from a bucket of `burst` that fills by one each `each_us`; takes nothing when it holds less.
-- KEYS marker spent
-- ARGV run up_ms each_us burst cost
-- USES now life
-- REPLY allowed refused
-- {allowed, what is left, now in us}; {refused, us until it holds enough}.
-- `spent` is the instant (us) at which the bucket is full. As a restarted server may have forgotten it, a life begins
-- with an empty one. Crash points: the caller dies after this: what it took is spent. A repeat takes once more.
local time = redis.call('TIME')
local now, each, most = time[1] * 1000000 + time[2], tonumber(each_us), tonumber(burst)
local _, began_ms = life(marker, run, up_ms, math.ceil(now / 1000))
local full_at = math.max(tonumber(redis.call('GET', spent) or 0), began_ms * 1000 + most * each)
-- No bucket is emptier than empty: a later instant was written before the clock stepped back.
full_at = math.min(math.max(full_at, now), now + most * each)
local need = full_at + cost * each
local wait = need - now - most * each
if wait > 0 then return {'refused', math.ceil(wait)} end
redis.call('SET', spent, whole(need), 'PX', math.ceil((need - now) / 1000) + 1000)
return {'allowed', math.floor((most * each - (need - now)) / each), now}
