#!lua flags=allow-oom
-- The lanes of a partition in which jobs wait, in the order of their ids: at most `limit`, or as many as 256 looks or 4 MiB
-- show. Not those of paused types, and none of a paused partition. Reads, but for members whose entry somebody has
-- removed by hand.
-- KEYS meta parked lanes
-- ARGV after limit
-- USES fields lane
-- REPLY lanes uninitialised
-- after = lane id to go on after, or "". {lanes, lane id to go on after or "", {lane id, type, key, ms of its first entry's
-- id, its priority}..}. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'paused', 'paused_types')
if not head[1] then return {'uninitialised'} end
local reply, looks, bytes, book = {'lanes', ''}, 0, 0, lane_book()
if head[2] == '1' then return reply end
local paused_types = ' ' .. (head[3] or '') .. ' '
local lane = after == '' and UNSORTED or after
while true do
  local member = redis.call('ZRANGEBYLEX', lanes, '(' .. lane .. ':', '+', 'LIMIT', 0, 1)[1]
  if not member then return reply end
  if #reply - 2 >= tonumber(limit) or looks >= 256 or bytes >= 4194304 then break end
  local id = book.entry_id(member)
  local row = redis.call('XRANGE', parked, id, id)[1]
  if row then
    lane = string.sub(member, 1, 16)
    local kind, priority = field(row[2], 't') or '', 9 - tonumber(string.sub(member, 17, 17))
    if not string.find(paused_types, ' ' .. kind .. ' ', 1, true) then
      reply[#reply + 1] = {lane, kind, field(row[2], 'k') or '', string.match(id, '^%d+'), priority}
    end
    bytes = bytes + #(field(row[2], 'b') or '')
  else
    redis.call('ZREM', lanes, member)
  end
  looks = looks + 1
end
reply[2] = lane
return reply
