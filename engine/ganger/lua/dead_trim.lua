#!lua flags=allow-oom
-- Notes the bounds of the dead letters, for every burial to come, and drops what is over them: 100 a call at most.
-- KEYS meta tracks dead jobs...
-- ARGV max_count max_age_ms
-- USES now bucket trim
-- REPLY trimmed uninitialised
-- {trimmed, count}. Crash points: none.
local had = redis.call('HMGET', meta, 'ms', 'dead_count', 'dead_age')
if not had[1] then return {'uninitialised'} end
if had[2] ~= max_count or had[3] ~= max_age_ms then
  redis.call('HSET', meta, 'dead_count', max_count, 'dead_age', max_age_ms)
end
return {'trimmed', trim(now_ms(), tonumber(max_count), tonumber(max_age_ms))}
