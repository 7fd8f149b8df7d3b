#!lua
-- New jobs into later, due at an instant or after a delay by this node's clock; otherwise like push.
-- KEYS meta memo later jobs...
-- ARGV unit amount producer op places priority new...
-- USES now op record bucket label dated
-- REPLY pushed repeat stale uninitialised
-- new = (jid, type, body, state) each. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local runs, before = seen_places(new[1])
if runs == 'stale' then return {'stale'} end
local now, added = now_ms(), 0
local due = unit == 'in' and now + amount or tonumber(amount)
for i = 1, #new, 4 do
  if not is_in(runs, new[i]) then
    local body = dated(new[i + 2], due)
    redis.call('HSET', jobs[bucket(new[i])], new[i], pack_record(new[i + 1], priority, new[i + 3], body))
    redis.call('ZADD', later, whole(due), new[i])
    added = added + 1
    if label_of(body) then redis.call('HSET', meta, 'careful', '1') end
  end
end
if added == 0 then
  remember(now, string.sub(before, 1, -2))
  return {'repeat'}
end
remember(now, before .. places)
redis.call('HINCRBY', meta, 'enqueued', added)
return {'pushed'}
