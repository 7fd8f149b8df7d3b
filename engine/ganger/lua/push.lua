#!lua
-- New jobs into one ready stream; all or nothing, and only those that this op has not pushed before. The one hot
-- script that a full server refuses.
-- KEYS meta memo stream
-- ARGV wake nonce step producer op places priority jobs...
-- USES now ids ring op label dated
-- REPLY pushed repeat stale uninitialised
-- jobs = (jid, type, body, state) each. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained', 'enqueued', 'careful')
if not head[1] then return {'uninitialised'} end
local runs, before = seen_places(jobs[1])
if runs == 'stale' then return {'stale'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, added, careful = now_ms(), 0, head[5]
for i = 1, #jobs, 4 do
  if not is_in(runs, jobs[i]) then
    local body = jobs[i + 2]
    if string.byte(body) ~= 123 then
      body = dated(body, now)
      if not careful and label_of(body) then careful = '1' end
    end
    if jobs[i + 3] == '' then
      add(stream, now, 'j', jobs[i], 't', jobs[i + 1], 'b', body)
    else
      add(stream, now, 'j', jobs[i], 't', jobs[i + 1], 'b', body, 's', jobs[i + 3])
    end
    added = added + 1
  end
end
if added == 0 then
  remember(now, string.sub(before, 1, -2))
  return {'repeat'}
end
remember(now, before .. places)
redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq), 'enqueued', whole((head[4] or 0) + added))
if careful and not head[5] then redis.call('HSET', meta, 'careful', '1') end
ring(head[3], priority)
return {'pushed'}
