#!lua flags=allow-oom
-- working -> later. The body is copied from the entry, never re-encoded.
-- KEYS meta memo stream later bucket
-- ARGV consumer index id jid kind noted delay_ms state
-- USES now held fields record notes
-- REPLY moved gone stolen noted uninitialised
-- {noted, n}: n late verdicts wait for this job; decide again with them. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
local unknown = unknown_notes()
if unknown then return {'noted', unknown} end
local priority = index ~= '0' and index or field(fields, 'p') or '5'
redis.call('HSET', bucket, jid, pack_record(kind, priority, state, field(fields, 'b') or ''))
redis.call('ZADD', later, whole(now_ms() + delay_ms), jid)
drop(stream, id)
clear_notes()
redis.call('HINCRBY', meta, 'failed', 1)
redis.call('HINCRBY', meta, 'retried', 1)
return {'moved'}
