#!lua flags=allow-oom
-- Job types that a live host serves; what nobody announced for long is forgotten.
-- KEYS types
-- ARGV max_age_ms rows...
-- USES now stamps
-- REPLY announced
-- rows = (name, JSON) each, kept as "<ms> <JSON>". Crash points: none.
local now = now_ms()
for i = 1, #rows, 2 do redis.call('HSET', types, rows[i], whole(now) .. ' ' .. rows[i + 1]) end
drop_silent(types, now, max_age_ms)
return {'announced'}
