#!lua flags=allow-oom
-- working -> gone: the retries are used up and the job's type does not keep its dead.
-- KEYS meta memo stream
-- ARGV consumer id jid noted
-- USES held fields notes
-- REPLY moved gone stolen noted uninitialised
-- Like retry otherwise. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local fields, why = held(stream, id, consumer)
if not fields then return {why} end
local unknown = unknown_notes()
if unknown then return {'noted', unknown} end
drop(stream, id)
clear_notes()
redis.call('HINCRBY', meta, 'failed', 1)
redis.call('HINCRBY', meta, 'exhausted', 1)
return {'moved'}
