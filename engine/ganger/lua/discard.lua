#!lua flags=allow-oom
-- working -> gone: the retries are used up and the job's type does not keep its dead.
-- KEYS meta memo locks tracks outbox log stream
-- ARGV nonce step consumer index id jid noted
-- USES now ids held fields notes label ending
-- REPLY moved gone stolen noted uninitialised
-- Like retry otherwise. Crash points: none.
if not opened then return {'uninitialised'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
local unknown = unknown_notes()
if unknown then return {'noted', unknown} end
entry_ended(fields, index, 'exhausted')
drop(stream, id)
clear_notes()
redis.call('HINCRBY', meta, 'failed', 1)
redis.call('HINCRBY', meta, 'exhausted', 1)
return {'moved'}
