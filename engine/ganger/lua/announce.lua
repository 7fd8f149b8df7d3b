#!lua flags=allow-oom
-- Job types that a live host serves; what nobody announced for long is forgotten.
-- KEYS types
-- ARGV max_age_ms rows...
-- USES now
-- REPLY announced
-- rows = (name, JSON) each, kept as "<ms> <JSON>". Crash points: none.
local now = now_ms()
for i = 1, #rows, 2 do redis.call('HSET', types, rows[i], whole(now) .. ' ' .. rows[i + 1]) end
local all = redis.call('HGETALL', types)
for i = 1, #all, 2 do
  local at_ms = tonumber(string.match(all[i + 1], '^%d+'))
  if not at_ms or now - at_ms > tonumber(max_age_ms) then redis.call('HDEL', types, all[i]) end
end
return {'announced'}
