#!lua flags=allow-oom
-- A host lives; those that were silent for long are dropped.
-- KEYS hosts
-- ARGV incarnation status max_age_ms
-- USES now
-- REPLY beating
-- Kept as "<ms> <JSON>". {beating, now ms}. Crash points: none.
local now = now_ms()
redis.call('HSET', hosts, incarnation, whole(now) .. ' ' .. status)
local all = redis.call('HGETALL', hosts)
for i = 1, #all, 2 do
  local at_ms = tonumber(string.match(all[i + 1], '^%d+'))
  if not at_ms or now - at_ms > tonumber(max_age_ms) then redis.call('HDEL', hosts, all[i]) end
end
return {'beating', whole(now)}
