#!lua flags=allow-oom
-- later -> ready: what is due, oldest first, up to a limit or 8 MiB. Two callers at once do no harm.
-- KEYS meta later rest...
-- ARGV wake nonce step limit
-- USES now ids ring record bucket rise due
-- REPLY promoted uninitialised
-- rest = 16 jobs hashes, then ready 1 to 9. {promoted, count, now ms, next due ms or -1}. A due jid without a record
-- can only be dropped. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained', 'promoted')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, count, best, bytes = now_ms(), 0, 0, 0
for _, jid in ipairs(redis.call('ZRANGE', later, '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, limit)) do
  local priority, size = rise(jid, now)
  if priority > 0 then count, best = count + 1, math.max(best, priority) end
  bytes = bytes + size
  if bytes > 8388608 then break end
end
if count > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq), 'promoted', whole((head[4] or 0) + count))
  ring(head[3], best)
end
return {'promoted', count, whole(now), whole(next_due() or -1)}
