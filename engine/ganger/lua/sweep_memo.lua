#!lua flags=allow-oom
-- Drops what the memo need not know any longer: every value reads "<..>|<ms>|<..>". Notes (v:) and deliveries (p:o)
-- are known for longer than the ops of producers, runs (y:) for longer still; a delivery that is owed no more
-- (it ends with a !) is like an op.
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
  local limit = max_age_ms
  local is_owed = string.match(name, '^p:o') and not string.match(page[2][i + 1], '!$')
  if is_owed or string.match(name, '^[vx]:') then limit = note_max_age_ms end
  if string.match(name, '^y:') then limit = run_max_age_ms end
  if at_ms and now - at_ms > tonumber(limit) then removed = removed + redis.call('HDEL', memo, name) end
end
return {'swept', page[1], removed}
