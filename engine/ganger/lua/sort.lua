#!lua flags=allow-oom
-- Unsorted jobs into their lanes, in the order in which they are named. Those that are not unsorted any more stay as they
-- are: somebody was quicker. So do those whose key is not what the type's word asks for by now.
-- KEYS meta parked lanes
-- ARGV wake nonce step entries...
-- USES now ids fields lane
-- REPLY sorted uninitialised
-- entries = (id, type, key) each. {sorted, how many}. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'aside')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, sorted, book, news = now_ms(), 0, lane_book(), ''
local marks = book.marks_of(head[3])
for i = 1, #entries, 3 do
  local id, kind, key = entries[i], entries[i + 1], entries[i + 2]
  local row = redis.call('XRANGE', parked, id, id)[1]
  local place = row and field(row[2], 'l') or ''
  local mark = string.sub(place, 1, 16) == UNSORTED and field(row[2], 't') == kind and book.mark_of(marks, kind)
  if mark and book.fits(mark, '', key) then
    local fields = row[2]
    news = news .. book.put(now, book.lane_of(kind, key) .. string.sub(place, 17), key, field(fields, 'j') or '', kind, field(fields, 'b') or '',
      field(fields, 's') or '', priority_of(fields, 0))
    book.left(id, fields)
    redis.call('XDEL', parked, id)
    sorted = sorted + 1
  end
end
if sorted > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  book.tell(news)
end
return {'sorted', sorted}
