#!lua flags=allow-oom
-- Leases that were written while the clock was ahead begin now: they look renewed until it is there again, and their
-- holder may be gone. Of the others that look so the time of delivery is this very moment already.
-- KEYS meta streams...
-- ARGV limit
-- REPLY restamped uninitialised
-- {restamped, how many looked renewed just now}: of each stream among the first `limit`. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local count = 0
for _, stream in ipairs(streams) do
  for _, row in ipairs(redis.call('XPENDING', stream, 'workers', '-', '+', limit)) do
    if row[3] <= 0 then
      redis.call('XCLAIM', stream, 'workers', row[2], '0', row[1], 'JUSTID')
      count = count + 1
    end
  end
end
return {'restamped', count}
