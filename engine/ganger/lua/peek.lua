#!lua flags=no-writes
-- For the poll: the highest waiting priority, in how many ms the next job of later is due, and whether jobs wait in lanes.
-- Those whose lane is not known yet count as waiting: a worker must come and sort them.
-- KEYS meta later lanes returned ready...
-- USES now waiting fields due highest
-- REPLY seen uninitialised
-- {seen, priority or 0, ms or -1, lanes 0/1}; nothing waits in a paused partition. Crash points: none, it only reads.
local head = redis.call('HMGET', meta, 'ms', 'drained', 'paused')
if not head[1] then return {'uninitialised'} end
local due, best = next_due(), 0
local due_in = due and math.max(due - now_ms(), 0) or -1
local laned = 0
if head[2] ~= '1' and head[3] ~= '1' then best = highest() end
if head[3] ~= '1' and redis.call('ZCARD', lanes) > 1 then
  local unsorted = redis.call('ZRANGEBYLEX', lanes, '(0000000000000000', '(0000000000000000:', 'LIMIT', 0, 1)[1]
  if unsorted then best = math.max(best, 9 - string.sub(unsorted, 17, 17)) end
  laned = redis.call('ZRANGE', lanes, -1, -1)[1] > '0000000000000000:' and 1 or 0
end
return {'seen', best, whole(due_in), laned}
