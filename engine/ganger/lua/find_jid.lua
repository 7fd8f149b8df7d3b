#!lua flags=no-writes
-- Looks for a jid in a chunk of a stream: `count` entries from `start` to `last`, or fewer when they are big.
-- KEYS meta stream
-- ARGV jid start last count
-- REPLY found next absent uninitialised
-- {found, id, fields}; {next, id}: not in this chunk, go on after id; {absent}: not in the rest.
-- XRANGE hands out whole entries: a thousand of a megabyte each at once would be a gigabyte of the node's memory.
-- Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local left, bytes, seen = tonumber(count), 0, nil
while left > 0 and bytes < 4194304 do
  local asked = math.min(left, bytes < 65536 and 64 or 4)
  local rows = redis.call('XRANGE', stream, start, last, 'COUNT', asked)
  for _, row in ipairs(rows) do
    if row[2][2] == jid then return {'found', row[1], row[2]} end
    bytes = bytes + #(row[2][6] or '')
    seen = row[1]
  end
  if #rows < asked then return {'absent'} end
  left, start = left - asked, '(' .. seen
end
return {'next', seen}
