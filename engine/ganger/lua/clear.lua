#!lua flags=allow-oom
-- Jobs that wait, removed unrun and counted as cancelled: returned, ready and parked ones (those in lanes among them)
-- with ids up to a mark, at most `limit` or 4 MiB a call. What is in somebody's hands stays.
-- KEYS meta locks tracks outbox log lanes returned rest...
-- ARGV nonce step mark limit
-- USES now ids waiting fields label ending lane
-- REPLY cleared uninitialised
-- rest = ready 1 to 9, laned, parked. {cleared, count, 1 if there may be more}. Crash points: none; between two calls the rest
-- waits as before.
if not opened then return {'uninitialised'} end
local count, bytes, more, book = 0, 0, 0, lane_book()
local function sweep(stream, index)
  local _, last = waiting(stream)
  while true do
    local left = limit - count
    if left <= 0 or bytes > 4194304 then more = 1 return end
    local asked = math.min(left, bytes < 65536 and 64 or 4)
    local rows = redis.call('XRANGE', stream, '(' .. last, mark, 'COUNT', asked)
    for _, row in ipairs(rows) do
      entry_ended(row[2], index, 'cancelled')
      redis.call('XDEL', stream, row[1])
      book.left(row[1], row[2])
      bytes = bytes + #(field(row[2], 'b') or '')
      last = row[1]
    end
    count = count + #rows
    if #rows < asked then return end
  end
end
sweep(returned, 0)
for i = 1, #rest do sweep(rest[i], i <= 9 and i or 0) end
if count > 0 then redis.call('HINCRBY', meta, 'cancelled', count) end
return {'cleared', count, more}
