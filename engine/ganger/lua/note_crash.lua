#!lua flags=allow-oom
-- A verdict that came after its lease was judged: remembered under the jid until the job fails again.
-- KEYS meta memo
-- ARGV jid death_id
-- USES now
-- REPLY noted uninitialised
-- {noted, how many now}; the same death twice counts once. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local value = redis.call('HGET', memo, 'v:' .. jid)
local count, deaths = string.match(value or '0|0|', '^(%d+)|%d+|(.*)$')
if string.find(deaths, death_id, 1, true) then return {'noted', tonumber(count)} end
redis.call('HSET', memo, 'v:' .. jid, (count + 1) .. '|' .. whole(now_ms()) .. '|' .. deaths .. death_id .. ' ')
return {'noted', count + 1}
