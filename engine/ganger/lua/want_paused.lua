#!lua flags=allow-oom
-- A queue or a type that shall be paused everywhere, since when and why; who said it first stays.
-- KEYS wanted
-- ARGV name note
-- USES now
-- REPLY wanted before
-- {word, "<ms> <note>"}. Crash points: the partitions are told afterwards; whoever dies in between has asked for it, and
-- the leading scheduler tells them.
local added = redis.call('HSETNX', wanted, name, whole(now_ms()) .. ' ' .. note)
return {added == 1 and 'wanted' or 'before', redis.call('HGET', wanted, name)}
