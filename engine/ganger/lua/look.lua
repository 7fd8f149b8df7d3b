#!lua flags=no-writes
-- The whole picture of a partition.
-- KEYS meta later dead parked lanes streams...
-- USES now waiting fields due
-- REPLY seen uninitialised
-- {seen, now ms, drained, in flight, later, dead, parked, in lanes, ms to the next due or -1, age of the oldest waiting in
-- ms, waiting in each of the 11 streams, then meta's other fields and their values ..}. Crash points: none, it only reads.
local all = redis.call('HGETALL', meta)
local counters, drained, open = {}, '0', false
for i = 1, #all, 2 do
  if all[i] == 'ms' then open = true
  elseif all[i] == 'drained' then drained = all[i + 1]
  elseif all[i] ~= 'seq' then counters[#counters + 1], counters[#counters + 2] = all[i], all[i + 1] end
end
if not open then return {'uninitialised'} end
local now, due = now_ms(), next_due()
local in_flight, oldest, counts = 0, now, {}
for i = 1, #streams do
  local count, last, pending = waiting(streams[i])
  counts[i], in_flight = count, in_flight + pending
  if count > 0 then
    local first = redis.call('XRANGE', streams[i], '(' .. last, '+', 'COUNT', 1)[1]
    if first then oldest = math.min(oldest, tonumber(string.match(first[1], '^%d+'))) end
  end
end
local laned = math.max(redis.call('ZCARD', lanes) - 1, 0)
for _, row in ipairs(laned > 0 and redis.call('XRANGE', parked, '-', '+', 'COUNT', 4) or {}) do
  if field(row[2], 'l') then oldest = math.min(oldest, tonumber(string.match(row[1], '^%d+'))) end
end
local reply = {'seen', whole(now), drained, in_flight, redis.call('ZCARD', later) - 1, redis.call('ZCARD', dead) - 1,
  redis.call('XLEN', parked) - laned, laned, whole(due and math.max(due - now, 0) or -1), whole(now - oldest)}
for i = 1, #counts do reply[#reply + 1] = counts[i] end
for i = 1, #counters do reply[#reply + 1] = counters[i] end
return reply
