#!lua flags=allow-oom
-- working -> gone, with success, of a tracked job: what it returned is told together with its end.
-- KEYS meta locks tracks outbox log stream
-- ARGV nonce step index id ran_ms peak_rss_bytes result
-- USES now ids fields label ending
-- REPLY finished gone uninitialised
-- result = what to say of it, see operations/track.py; its bytes lie in a key of their own, under this entry's id.
-- The entry is removed whoever holds it, as settle does. Crash points: none.
if not opened then return {'uninitialised'} end
local entry = redis.call('XRANGE', stream, id, id)[1]
redis.call('XACK', stream, 'workers', id)
if not entry then return {'gone'} end
told = '|' .. ran_ms .. '|' .. peak_rss_bytes .. '|' .. result
entry_ended(entry[2], index, 'succeeded')
redis.call('XDEL', stream, id)
redis.call('HINCRBY', meta, 'succeeded', 1)
return {'finished'}
