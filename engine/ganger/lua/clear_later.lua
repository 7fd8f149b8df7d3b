#!lua flags=allow-oom
-- Scheduled and retrying jobs, removed unrun and counted as cancelled, soonest first; at most `limit` or 4 MiB a call.
-- KEYS meta locks tracks outbox log later jobs...
-- ARGV nonce step limit
-- USES now ids fields record bucket label ending
-- REPLY cleared uninitialised
-- {cleared, count, 1 if there may be more}. A jid without a record can only be dropped. Crash points: none.
if not opened then return {'uninitialised'} end
local count, dropped, bytes = 0, 0, 0
local rows = redis.call('ZRANGE', later, '-inf', '(+inf', 'BYSCORE', 'LIMIT', 0, limit)
for _, jid in ipairs(rows) do
  local key = jobs[bucket(jid)]
  local record = redis.call('HGET', key, jid) or ''
  local kind, priority, state, body = unpack_record(record)
  if kind then
    ended(jid, kind, body, state, priority, 'cancelled')
    redis.call('HDEL', key, jid)
    count = count + 1
  end
  redis.call('ZREM', later, jid)
  dropped, bytes = dropped + 1, bytes + #record
  if bytes > 4194304 then break end
end
if count > 0 then redis.call('HINCRBY', meta, 'cancelled', count) end
return {'cleared', count, (dropped < #rows or #rows == tonumber(limit)) and 1 or 0}
