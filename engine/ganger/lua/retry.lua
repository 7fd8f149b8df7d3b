#!lua flags=allow-oom
-- working -> later. The body is copied from the entry, never re-encoded.
-- KEYS meta memo locks tracks outbox log stream later bucket
-- ARGV nonce step consumer index id jid kind noted delay_ms state
-- USES now ids held fields record notes label ending marked cancelling
-- REPLY moved gone stolen cancelled noted uninitialised
-- {noted, n}: n late verdicts wait for this job; decide again with them. {cancelled}: it was, so it ends here.
-- Crash points: none.
if not opened then return {'uninitialised'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
if cancelled(stream, index, id, fields) then return {'cancelled'} end
local unknown = unknown_notes()
if unknown then return {'noted', unknown} end
local priority = priority_of(fields, index)
redis.call('HSET', bucket, jid, pack_record(kind, priority, state, field(fields, 'b') or ''))
redis.call('ZADD', later, whole(now_ms() + delay_ms), jid)
drop(stream, id)
clear_notes()
redis.call('HINCRBY', meta, 'failed', 1)
redis.call('HINCRBY', meta, 'retried', 1)
return {'moved'}
