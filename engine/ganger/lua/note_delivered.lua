#!lua flags=allow-oom
-- Deliveries that their outbox holds no more: none of them comes a second time but for what is under way, so the memo
-- need not know them for a day.
-- KEYS meta memo
-- ARGV names...
-- USES now
-- REPLY noted uninitialised
-- {noted, number}. A delivery's memo is that of a push by producer o<name>, op 0 (lib/op), with a ! at its end from
-- here on. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local now, count = now_ms(), 0
for i = 1, #names do
  local field = 'p:o' .. names[i] .. ':0'
  local places = string.match(redis.call('HGET', memo, field) or '', '^%d+|%d+|([^!]*)')
  if places then
    redis.call('HSET', memo, field, '0|' .. whole(now) .. '|' .. places .. '!')
    count = count + 1
  end
end
return {'noted', count}
