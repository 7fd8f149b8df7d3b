#!lua flags=allow-oom
-- What a partition retains of its ended jobs, and what is too old or too much for that goes: in steps, whole nodes of the
-- stream first. By age to the ms; by number about, a hundred more may stay.
-- KEYS meta log
-- ARGV retain limit
-- USES now
-- REPLY retained uninitialised
-- retain = "<age ms>|<number>", 0 being no bound, or '' for nothing. {retained, removed, 1 if there may be more}.
-- Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'retain')
if not head[1] then return {'uninitialised'} end
if retain == '' then
  redis.call('HDEL', meta, 'retain')
elseif retain ~= head[2] then
  redis.call('HSET', meta, 'retain', retain, 'careful', '1')
end
local age, most = string.match(retain, '^(%d+)|(%d+)$')
local removed, exact = 0, 0
if age and age ~= '0' then
  local oldest = whole(now_ms() - age)
  removed = redis.call('XTRIM', log, 'MINID', '~', oldest, 'LIMIT', limit)
  if removed == 0 then exact = redis.call('XTRIM', log, 'MINID', oldest) end
end
if most ~= '0' then removed = removed + redis.call('XTRIM', log, 'MAXLEN', '~', most or '0', 'LIMIT', limit) end
return {'retained', removed + exact, removed > 0 and 1 or 0}
