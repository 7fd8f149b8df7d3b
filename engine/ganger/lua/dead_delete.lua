#!lua flags=allow-oom
-- Dead letters that a human is done with, and what they kept.
-- KEYS meta tracks dead jobs...
-- ARGV jids...
-- USES bucket
-- REPLY deleted uninitialised
-- {deleted, count}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local count = 0
for _, jid in ipairs(jids) do
  if jid ~= '' and redis.call('ZREM', dead, jid) == 1 then
    redis.call('HDEL', jobs[bucket(jid)], jid)
    redis.call('HDEL', tracks, 'c:' .. jid, 'p:' .. jid)
    count = count + 1
  end
end
if count > 0 then redis.call('HINCRBY', meta, 'deleted', count) end
return {'deleted', count}
