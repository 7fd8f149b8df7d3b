#!lua flags=allow-oom
-- A host lives; those that were silent for long are dropped.
-- KEYS hosts
-- ARGV incarnation status max_age_ms
-- USES now stamps
-- REPLY beating
-- Kept as "<ms> <JSON>". {beating, now ms}. Crash points: none.
local now = now_ms()
redis.call('HSET', hosts, incarnation, whole(now) .. ' ' .. status)
drop_silent(hosts, now, max_age_ms)
return {'beating', whole(now)}
