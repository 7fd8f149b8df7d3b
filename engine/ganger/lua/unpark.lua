#!lua flags=allow-oom
-- parked -> returned, where they go before others of their priority, in the order in which they were parked: jobs whose
-- type is not paused any more; not those that wait in lanes. At most `limit` entries or 4 MiB a call. At the end of the
-- stream the debt is paid, unless a later change has made it anew.
-- KEYS meta parked returned
-- ARGV wake nonce step start limit debt
-- USES now ids ring fields
-- REPLY unparked uninitialised
-- start = id to go on after, "" for the first call; debt = meta's unpark when the first call was made. {unparked, moved,
-- id to go on after or ""}. Crash points: none; between two calls the rest is parked, and still owed.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained', 'paused_types', 'unpark')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local paused = ' ' .. (head[4] or '') .. ' '
local now, left, bytes, moved, best, over = now_ms(), tonumber(limit), 0, 0, 0, false
while left > 0 and bytes < 4194304 and not over do
  local asked = math.min(left, bytes < 65536 and 64 or 4)
  local rows = redis.call('XRANGE', parked, start == '' and '-' or '(' .. start, '+', 'COUNT', asked)
  for _, row in ipairs(rows) do
    local fields, body = row[2], field(row[2], 'b') or ''
    local kind, priority = field(fields, 't') or '', priority_of(fields, 0)
    if not field(fields, 'l') and not string.find(paused, ' ' .. kind .. ' ', 1, true) then
      add(returned, now, 'j', field(fields, 'j') or '', 't', kind, 'b', body, 's', field(fields, 's') or '', 'p', priority)
      redis.call('XDEL', parked, row[1])
      moved, best = moved + 1, math.max(best, tonumber(priority))
    end
    start, bytes = row[1], bytes + #body
  end
  left, over = left - asked, #rows < asked
end
if moved > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  ring(head[3], best)
end
if over and head[5] == debt then redis.call('HDEL', meta, 'unpark') end
return {'unparked', moved, over and '' or start}
