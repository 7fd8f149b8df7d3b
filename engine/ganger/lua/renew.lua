#!lua flags=allow-oom
-- Starts leases anew, only those that are the consumer's: XCLAIM alone would steal the others.
-- KEYS meta memo streams...
-- ARGV consumer entries...
-- USES marked
-- REPLY renewed uninitialised
-- entries = for each stream its index, its number of ids, then these. {renewed, {stream, id ..}, {stream, id ..}}: the
-- ones that are not the consumer's, then those that are and were cancelled. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local lost, cancelled, at = {}, {}, 1
while entries[at] do
  local index, count = tonumber(entries[at]), tonumber(entries[at + 1])
  local stream, mine = streams[index + 1], {}
  for i = at + 2, at + 1 + count do
    local lease = redis.call('XPENDING', stream, 'workers', entries[i], entries[i], 1)[1]
    local list = lost
    if lease and lease[2] == consumer then
      mine[#mine + 1] = entries[i]
      list = marked(entries[i]) and cancelled or nil
    end
    if list then list[#list + 1], list[#list + 2] = index, entries[i] end
  end
  for i = 1, #mine, 1000 do
    local call = {'XCLAIM', stream, 'workers', consumer, '0', unpack(mine, i, math.min(i + 999, #mine))}
    call[#call + 1] = 'JUSTID'
    redis.call(unpack(call))
  end
  at = at + 2 + count
end
return {'renewed', lost, cancelled}
