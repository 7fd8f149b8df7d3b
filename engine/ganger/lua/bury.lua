#!lua flags=allow-oom
-- working -> dead: kept for a human, within bounds of number and age. An entry that is no job brings all its fields
-- as the body.
-- KEYS meta memo locks tracks outbox log stream dead jobs...
-- ARGV nonce step consumer index id jid kind noted state max_count max_age_ms
-- USES now ids held fields record bucket trim bury notes label ending marked cancelling
-- REPLY moved gone stolen cancelled noted uninitialised
-- Like retry otherwise. Crash points: none.
if not opened then return {'uninitialised'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
if cancelled(stream, index, id, fields) then return {'cancelled'} end
local unknown = unknown_notes()
if unknown then return {'noted', unknown} end
local priority = priority_of(fields, index)
local body = field(fields, 'b') or table.concat(fields, '\n')
bury(jid, pack_record(kind, priority, state, body), tonumber(max_count), tonumber(max_age_ms))
ended(jid, kind, body, state, priority, 'dead')
drop(stream, id)
clear_notes()
redis.call('HINCRBY', meta, 'failed', 1)
redis.call('HINCRBY', meta, 'dead', 1)
return {'moved'}
