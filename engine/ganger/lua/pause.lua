#!lua flags=allow-oom
-- What a partition hands out no more, or again: everything, or jobs of some types. Meta has it as paused = 1 and
-- paused_types, names with a space between; pauses counts the changes. Where something is handed out again the
-- coordinators are told, and if it is a type, meta's unpark says that its parked jobs are owed their way back.
-- KEYS meta parked returned ready...
-- ARGV wake seen edits...
-- USES waiting fields highest
-- REPLY changed stale uninitialised
-- seen = what pauses was when the caller decided ("" = whatever it is, "0" = no change yet); edits = (+ or -, a type or
-- "" for everything) each. {changed, pauses, parked}. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'pauses', 'paused_types')
if not head[1] then return {'uninitialised'} end
if seen ~= '' and seen ~= (head[2] or '0') then return {'stale'} end
local pauses, lifted = redis.call('HINCRBY', meta, 'pauses', 1), false
local types = {}
for name in string.gmatch(head[3] or '', '%S+') do types[#types + 1] = name end
for i = 1, #edits, 2 do
  local sign, what = edits[i], edits[i + 1]
  lifted = lifted or sign == '-'
  if what ~= '' then
    local kept = {}
    for _, name in ipairs(types) do
      if name ~= what then kept[#kept + 1] = name end
    end
    if sign == '+' then kept[#kept + 1] = what else redis.call('HSET', meta, 'unpark', pauses) end
    types = kept
  elseif sign == '+' then
    redis.call('HSET', meta, 'paused', '1')
  else
    redis.call('HDEL', meta, 'paused')
  end
end
if #types > 0 then
  redis.call('HSET', meta, 'paused_types', table.concat(types, ' '))
else
  redis.call('HDEL', meta, 'paused_types')
end
local best = lifted and highest() or 0
if best > 0 then
  redis.call('HSET', meta, 'drained', '0')
  redis.pcall('SPUBLISH', wake, best)
end
return {'changed', pauses, redis.call('XLEN', parked)}
