#!lua flags=no-writes
-- For the poll: the highest waiting priority, and in how many ms the next job of later is due.
-- KEYS meta later returned ready...
-- USES now waiting fields due highest
-- REPLY seen uninitialised
-- {seen, priority or 0, ms or -1}; nothing waits in a paused partition. Crash points: none, it only reads.
local head = redis.call('HMGET', meta, 'ms', 'drained', 'paused')
if not head[1] then return {'uninitialised'} end
local due, best = next_due(), 0
local due_in = due and math.max(due - now_ms(), 0) or -1
if head[2] ~= '1' and head[3] ~= '1' then best = highest() end
return {'seen', best, whole(due_in)}
