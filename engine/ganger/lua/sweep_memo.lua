#!lua flags=allow-oom
-- Drops what the memo need not know any longer: every value reads "<..>|<ms>|<..>". Notes (v:) and deliveries (p:o)
-- are known for longer than the ops of producers, runs (y:) for longer still.
-- KEYS meta memo
-- ARGV cursor count max_age_ms note_max_age_ms run_max_age_ms
-- USES now
-- REPLY swept uninitialised
-- {swept, next cursor or 0, removed}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local page = redis.call('HSCAN', memo, cursor, 'COUNT', count)
local now, removed = now_ms(), 0
for i = 1, #page[2], 2 do
  local name, at_ms = page[2][i], tonumber(string.match(page[2][i + 1], '^%d+|(%d+)|'))
  local is_long = string.match(name, '^[vx]:') or string.match(name, '^p:o')
  local limit = is_long and note_max_age_ms or string.match(name, '^y:') and run_max_age_ms or max_age_ms
  if at_ms and now - at_ms > tonumber(limit) then removed = removed + redis.call('HDEL', memo, name) end
end
return {'swept', page[1], removed}
