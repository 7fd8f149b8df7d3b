#!lua flags=allow-oom
-- Drops unique locks whose time is over: they hold nobody back any more, whatever became of their jobs.
-- KEYS meta locks
-- ARGV cursor count
-- USES now
-- REPLY swept uninitialised
-- {swept, next cursor or 0, removed}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local page = redis.call('HSCAN', locks, cursor, 'COUNT', count)
local now, removed = now_ms(), 0
for i = 1, #page[2], 2 do
  local limit = tonumber(string.match(page[2][i + 1], '|(%d+)$'))
  if limit and limit <= now then removed = removed + redis.call('HDEL', locks, page[2][i]) end
end
return {'swept', page[1], removed}
