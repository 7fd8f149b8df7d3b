#!lua flags=no-writes
-- Dead letters, newest first.
-- KEYS meta dead jobs...
-- ARGV offset limit
-- USES bucket
-- REPLY dead uninitialised
-- {dead, jid, at ms, record ..}. The sentinel is always first, hence the 1. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply = {'dead'}
local rows = redis.call('ZRANGE', dead, offset + 1, offset + limit, 'REV', 'WITHSCORES')
for i = 1, #rows, 2 do
  local n = #reply
  reply[n + 1], reply[n + 2] = rows[i], rows[i + 1]
  reply[n + 3] = redis.call('HGET', jobs[bucket(rows[i])], rows[i]) or ''
end
return reply
