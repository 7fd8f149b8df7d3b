#!lua flags=allow-oom
-- Words of `aside` whose time is over are taken back, and the jobs of those types go from their lanes to returned, where
-- they wait as before; so do those that lie where another word had them, to be put aside anew. At most `limit` entries or
-- 4 MiB a call are looked at. Meta's unlane says that this is owed, from the first call until one has come to the end,
-- unless more is owed meanwhile. A word that counts for longer than one that is said now is of before the clock was set
-- back: unless somebody says it again, its time is over when that of a new one would be.
-- KEYS meta parked lanes returned
-- ARGV wake nonce step start limit debt mark_ms
-- USES now ids ring fields lane
-- REPLY unlaned uninitialised
-- start = member to go on after, "" for the first call; debt = what the first call answered. {unlaned, moved, member to go
-- on after or "", debt}. Crash points: none; between two calls the rest lies in its lanes, and is still owed.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained', 'aside', 'unlane')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, owed, kept, over = now_ms(), head[5] or '', {}, false
for word, till in string.gmatch(head[4] or '', '(%S+)=(%d+)') do
  till = math.min(tonumber(till), now + mark_ms)
  if till > now then kept[#kept + 1] = word .. '=' .. whole(till) else over = true end
end
local words = table.concat(kept, ' ')
if over then
  owed = whole(math.max(now, (tonumber(owed) or 0) + 1))
  redis.call('HSET', meta, 'unlane', owed)
end
if words == '' then
  redis.call('HDEL', meta, 'aside')
elseif words ~= head[4] then
  redis.call('HSET', meta, 'aside', words)
end
if start == '' then debt = owed end
if debt == '' then return {'unlaned', 0, '', ''} end

local book, moved, best, bytes, left, done = lane_book(), 0, 0, 0, tonumber(limit), false
local marks = book.marks_of(words)
while left > 0 and bytes < 4194304 do
  local found = redis.call('ZRANGEBYLEX', lanes, '(' .. start, '+', 'LIMIT', 0, 1)[1]
  if not found then done = true break end
  local id = book.entry_id(found)
  local row = redis.call('XRANGE', parked, id, id)[1]
  local kind = row and field(row[2], 't') or ''
  start = found
  local mark = row and book.mark_of(marks, kind)
  if mark and book.fits(mark, found, field(row[2], 'k') or '') then
    -- All of a lane are of one type and key: go on with the next one.
    if string.sub(found, 1, 16) ~= UNSORTED then start = string.sub(found, 1, 16) .. ':' end
  else
    if row then
      local fields, priority = row[2], priority_of(row[2], 0)
      add(returned, now, 'j', field(fields, 'j') or '', 't', kind, 'b', field(fields, 'b') or '',
        's', field(fields, 's') or '', 'p', priority)
      redis.call('XDEL', parked, id)
      moved, best = moved + 1, math.max(best, tonumber(priority) or 5)
    end
    redis.call('ZREM', lanes, found)
  end
  bytes, left = bytes + #(row and field(row[2], 'b') or ''), left - 1
end
if moved > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  ring(head[3], best)
end
if done and owed == debt then redis.call('HDEL', meta, 'unlane') end
return {'unlaned', moved, done and '' or start, debt}
