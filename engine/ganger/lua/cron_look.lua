#!lua flags=no-writes
-- What a partition remembers of these cron entries, and its clock.
-- KEYS meta crons
-- ARGV names...
-- USES now
-- REPLY seen uninitialised
-- {seen, now ms, value or '' for each name}; lib/crons.lua tells the value. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply = {'seen', whole(now_ms())}
for i = 1, #names do reply[i + 2] = redis.call('HGET', crons, names[i]) or '' end
return reply
