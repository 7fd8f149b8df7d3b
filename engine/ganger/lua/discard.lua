#!lua flags=allow-oom
-- working -> gone: the retries are used up and the job's type does not keep its dead.
-- KEYS meta memo locks tracks outbox log stream
-- ARGV nonce step consumer index id jid noted state
-- USES now ids held fields notes label ending marked cancelling
-- REPLY moved gone stolen cancelled noted uninitialised
-- Like retry otherwise. Crash points: none.
if not opened then return {'uninitialised'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
if cancelled(stream, index, id, fields) then return {'cancelled'} end
local unknown = unknown_notes()
if unknown then return {'noted', unknown} end
local priority = priority_of(fields, index)
ended(jid, field(fields, 't') or '', field(fields, 'b') or '', state, priority, 'exhausted')
drop(stream, id)
clear_notes()
redis.call('HINCRBY', meta, 'failed', 1)
redis.call('HINCRBY', meta, 'exhausted', 1)
return {'moved'}
