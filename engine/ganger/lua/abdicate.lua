#!lua flags=allow-oom
-- Stop being the leader.
-- KEYS leader
-- ARGV holder
-- REPLY abdicated following
-- Crash points: none.
if redis.call('GET', leader) ~= holder then return {'following'} end
redis.call('DEL', leader)
return {'abdicated'}
