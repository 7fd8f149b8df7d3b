#!lua flags=no-writes
-- How many jobs of a partition go before one that waits: those of higher priorities, those that came back, and those
-- before it in its own stream, of which 500 or 4 MiB are counted at most.
-- KEYS meta streams...
-- ARGV index id priority
-- USES waiting ahead
-- REPLY counted uninitialised
-- {counted, of higher priority or returned, before it, whether that is all of these}. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local first, before = 0, 0
for i = 1, #streams do
  local returned = i == 1 and index ~= '0'
  if returned or i - 1 > tonumber(priority) then
    local count = waiting(streams[i])
    first = first + count
  end
end
local stream = streams[index + 1]
local _, last = waiting(stream)
local stopped = ahead(stream, '(' .. last, '(' .. id, function() before = before + 1 end)
return {'counted', first, before, stopped == '' and 1 or 0}
