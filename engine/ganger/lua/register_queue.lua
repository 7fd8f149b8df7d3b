#!lua
-- A queue's number of partitions: what its first caller said, for ever, if it is a number. Sentinels for the other keys of this slot
-- that scripts touch together.
-- KEYS catalog crashes crash_records totals
-- ARGV queue partitions
-- REPLY registered
-- {registered, partitions}. Crash points: none.
redis.call('ZADD', crashes, 'NX', '-inf', '')
redis.call('HSETNX', crash_records, '', '')
redis.call('HSETNX', totals, '', '0')
local count = redis.call('HGET', catalog, queue)
if not count or not string.match(count, '^[1-9]%d?%d?%d?$') then
  count = partitions
  redis.call('HSET', catalog, queue, count)
end
return {'registered', tonumber(count)}
