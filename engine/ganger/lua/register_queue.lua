#!lua
-- A queue's number of partitions: what its first caller said, for ever. Sentinels for the other keys of this slot
-- that scripts touch together.
-- KEYS catalog crashes crash_records totals
-- ARGV queue partitions
-- REPLY registered
-- {registered, partitions}. Crash points: none.
redis.call('ZADD', crashes, 'NX', '-inf', '')
redis.call('HSETNX', crash_records, '', '')
redis.call('HSETNX', totals, '', '0')
redis.call('HSETNX', catalog, queue, partitions)
return {'registered', tonumber(redis.call('HGET', catalog, queue))}
