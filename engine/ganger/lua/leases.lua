#!lua flags=no-writes
-- Leases that nobody renewed for a while. Proves nothing by itself: see recover.
-- KEYS meta streams...
-- ARGV min_idle_ms limit
-- USES now
-- REPLY leases uninitialised
-- {leases, now ms, stream, id, consumer, delivered ms ..}. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply = {'leases', whole(now_ms())}
for i = 1, #streams do
  local left = limit - (#reply - 2) / 4
  if left <= 0 then break end
  local rows, now
  repeat -- until the clock stood still: idle times count from the clock of their own command on older servers
    now = now_ms()
    rows = redis.call('XPENDING', streams[i], 'workers', 'IDLE', min_idle_ms, '-', '+', left)
  until #rows == 0 or #rows > 100 or now_ms() == now
  for _, row in ipairs(rows) do
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = i - 1, row[1], row[2], whole(now - row[3])
  end
end
return reply
