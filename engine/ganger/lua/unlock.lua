#!lua flags=allow-oom
-- A job gives its unique lock up before its end: it starts, and others of its digest may wait from now on.
-- KEYS meta locks
-- ARGV digest jid
-- REPLY unlocked absent uninitialised
-- absent: free, or another's. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local lock = redis.call('HGET', locks, digest)
if not lock or string.match(lock, '^[^|]*') ~= jid then return {'absent'} end
redis.call('HDEL', locks, digest)
return {'unlocked'}
