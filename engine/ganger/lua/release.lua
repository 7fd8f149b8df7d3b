#!lua flags=allow-oom
-- working -> returned, without an attempt used: drained, reloaded, never started. Many at once, in their order.
-- KEYS meta memo locks tracks outbox log streams...
-- ARGV wake nonce step consumer entries...
-- USES now ids ring held fields label ending marked cancelling
-- REPLY released uninitialised
-- entries = (stream, id, 1 if a new state follows, 2 if so and the delivery was lost, else 0, state) each;
-- {released, moved | gone | stolen | cancelled ..}, one word an entry. Crash points: none.
if not opened then return {'uninitialised'} end
local now, reply, moved, lost, best = now_ms(), {'released'}, 0, 0, 0
for i = 1, #entries, 4 do
  local stream, id = streams[entries[i] + 1], entries[i + 1]
  local fields, why = held(stream, id, consumer)
  if fields and cancelled(stream, entries[i], id, fields) then fields, why = nil, 'cancelled' end
  if fields then
    local priority = priority_of(fields, entries[i])
    local state = entries[i + 2] ~= '0' and entries[i + 3] or field(fields, 's') or ''
    add(streams[1], now, 'j', field(fields, 'j') or '', 't', field(fields, 't') or '', 'b', field(fields, 'b') or '',
      's', state, 'p', priority)
    drop(stream, id)
    moved, best = moved + 1, math.max(best, tonumber(priority))
    if entries[i + 2] == '2' then lost = lost + 1 end
  end
  reply[#reply + 1] = why or 'moved'
end
if moved > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  if moved > lost then redis.call('HINCRBY', meta, 'released', moved - lost) end
  if lost > 0 then redis.call('HINCRBY', meta, 'lost', lost) end
  ring(drained, best)
end
return reply
