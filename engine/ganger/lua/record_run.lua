#!lua flags=allow-oom
-- Notes how a run stands, if it stood as the caller thinks: one that is undone is not running again because its driver
-- writes late. Only the newest are kept; a run's name begins with its time.
-- KEYS runs
-- ARGV run states record most
-- REPLY recorded refused
-- states = " running stopped ", those that it may be in now; " new " when nobody knows it yet. A record is "<state> <json>".
-- {refused, the record}. Crash points: none.
local before = redis.call('HGET', runs, run)
local state = before and string.match(before, '^%S+') or 'new'
if not string.find(states, ' ' .. state .. ' ', 1, true) then return {'refused', before or ''} end
redis.call('HSET', runs, run, record)
if not before and redis.call('HLEN', runs) > tonumber(most) then
  local names = redis.call('HKEYS', runs)
  table.sort(names)
  for i = 1, #names - most do redis.call('HDEL', runs, names[i]) end
end
return {'recorded', ''}
