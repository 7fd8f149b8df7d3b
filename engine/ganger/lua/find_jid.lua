#!lua flags=no-writes
-- Looks for a jid in a chunk of a stream.
-- KEYS meta stream
-- ARGV jid start count
-- REPLY found next absent uninitialised
-- {found, id, fields}; {next, id}: not in this chunk, go on after id; {absent}: not in the rest of the stream.
-- Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local rows = redis.call('XRANGE', stream, start, '+', 'COUNT', count)
for _, row in ipairs(rows) do
  if row[2][2] == jid then return {'found', row[1], row[2]} end
end
if #rows < tonumber(count) then return {'absent'} end
return {'next', rows[#rows][1]}
