#!lua flags=no-writes
-- Dead letters, newest first; fewer than asked for when their bytes reach 4 MiB, but one at least.
-- KEYS meta dead jobs...
-- ARGV offset limit
-- USES bucket
-- REPLY dead uninitialised
-- {dead, jid, at ms, record ..}. The sentinel is always first, hence the 1. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply, bytes = {'dead'}, 0
local rows = redis.call('ZRANGE', dead, offset + 1, offset + limit, 'REV', 'WITHSCORES')
for i = 1, #rows, 2 do
  local n = #reply
  local record = redis.call('HGET', jobs[bucket(rows[i])], rows[i]) or ''
  bytes = bytes + #record
  if n > 1 and bytes > 4194304 then break end
  reply[n + 1], reply[n + 2], reply[n + 3] = rows[i], rows[i + 1], record
end
return reply
