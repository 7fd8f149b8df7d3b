#!lua flags=allow-oom
-- Drops the ends of tracked jobs whose time is over, with their progress, and what jobs kept that were never heard of
-- again.
-- KEYS meta tracks
-- ARGV cursor count max_age_ms
-- USES now
-- REPLY swept uninitialised
-- {swept, next cursor or 0, removed}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local page = redis.call('HSCAN', tracks, cursor, 'COUNT', count)
local now, removed = now_ms(), 0
for i = 1, #page[2], 2 do
  local name, at_ms, ttl = page[2][i], string.match(page[2][i + 1], '^(%d+)|(%d*)')
  local noted = string.sub(name, 1, 2) == 'e:'
  if at_ms and now - at_ms > tonumber(noted and ttl ~= '' and ttl or max_age_ms) then
    removed = removed + redis.call('HDEL', tracks, name)
    if noted then removed = removed + redis.call('HDEL', tracks, 'p:' .. string.sub(name, 3)) end
  end
end
return {'swept', page[1], removed}
