#!lua flags=allow-oom
-- Jobs set aside whose lane nobody has worked out yet, those that are to run first: at most `limit` or 1 MiB a call.
-- Reads, but for members whose entry somebody has removed by hand.
-- KEYS meta parked lanes
-- ARGV limit
-- USES fields lane
-- REPLY unsorted uninitialised
-- {unsorted, {id, jid, type, body}..}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply, bytes, book = {'unsorted'}, 0, lane_book()
for _, member in ipairs(book.members(UNSORTED, limit)) do
  local id = book.entry_id(member)
  local row = redis.call('XRANGE', parked, id, id)[1]
  if row then
    local body = field(row[2], 'b') or ''
    reply[#reply + 1] = {id, field(row[2], 'j') or '', field(row[2], 't') or '', body}
    bytes = bytes + #body
    if bytes > 1048576 then break end
  else
    redis.call('ZREM', lanes, member)
  end
end
return reply
