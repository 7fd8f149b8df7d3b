#!lua flags=allow-oom
-- dead -> ready, with the states that the caller made of theirs.
-- KEYS meta dead rest...
-- ARGV wake nonce step letters...
-- USES now ids ring record bucket
-- REPLY revived uninitialised
-- rest = 16 jobs hashes, then ready 1 to 9; letters = (jid, state) each. {revived, count}. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, count, best = now_ms(), 0, 0
for i = 1, #letters, 2 do
  local jid = letters[i]
  local jobs = rest[bucket(jid)]
  local kind, priority, _, body = unpack_record(redis.call('HGET', jobs, jid) or '')
  if kind and redis.call('ZSCORE', dead, jid) then
    add(rest[16 + priority], now, 'j', jid, 't', kind, 'b', body, 's', letters[i + 1])
    redis.call('HDEL', jobs, jid)
    redis.call('ZREM', dead, jid)
    count, best = count + 1, math.max(best, priority)
  end
end
if count > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  redis.call('HINCRBY', meta, 'revived', count)
  ring(head[3], best)
end
return {'revived', count}
