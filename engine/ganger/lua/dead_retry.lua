#!lua flags=allow-oom
-- dead -> ready, with the states that the caller made of theirs and without the hour at which they were to expire: who
-- sends one back wants it to run. Stops behind 8 MiB, for the caller to go on.
-- KEYS meta dead rest...
-- ARGV wake nonce step letters...
-- USES now ids ring record bucket label stamp
-- REPLY revived uninitialised
-- rest = 16 jobs hashes, then ready 1 to 9; letters = (jid, state, buried ms) each, '' for whenever it was: one that has
-- died again meanwhile is another, which a repeat or a late call must not touch. {revived, count, letters looked at}.
-- Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, count, best, bytes, looked = now_ms(), 0, 0, 0, 0
for i = 1, #letters, 3 do
  if bytes > 8388608 then break end
  local jid = letters[i]
  looked = looked + 1
  local jobs = rest[bucket(jid)]
  local kind, priority, _, body = unpack_record(redis.call('HGET', jobs, jid) or '')
  local at_ms, wanted = redis.call('ZSCORE', dead, jid), letters[i + 2]
  if kind and at_ms and (wanted == '' or tonumber(wanted) == tonumber(at_ms)) then
    add(rest[16 + priority], now, 'j', jid, 't', kind, 'b', relabel(body, 'x'), 's', letters[i + 1])
    redis.call('HDEL', jobs, jid)
    redis.call('ZREM', dead, jid)
    count, best, bytes = count + 1, math.max(best, priority), bytes + #body
  end
end
if count > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  redis.call('HINCRBY', meta, 'revived', count)
  ring(head[3], best)
end
return {'revived', count, looked}
