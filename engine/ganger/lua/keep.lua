#!lua flags=allow-oom
-- What a running job leaves for others: its progress, or a checkpoint for its next attempt. Only the holder of its
-- entry may, so that an attempt that has lost its lease does not overwrite what its successor keeps.
-- KEYS meta tracks stream
-- ARGV consumer id jid what value
-- USES now
-- REPLY kept gone stolen uninitialised
-- what = p or c; kept in tracks as "<ms>|<value>" until the job's end, which must look for it from now on, hence
-- careful. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local lease = redis.call('XPENDING', stream, 'workers', id, id, 1)[1]
if not lease then return {'gone'} end
if lease[2] ~= consumer then return {'stolen'} end
redis.call('HSET', tracks, what .. ':' .. jid, whole(now_ms()) .. '|' .. value)
redis.call('HSETNX', meta, 'careful', '1')
return {'kept'}
