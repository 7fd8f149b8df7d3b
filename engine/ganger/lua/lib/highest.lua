-- The highest priority that waits, 0 when nothing does. Of returned the next 16 are looked at. Needs returned, ready
-- and the libs waiting and fields.
local function highest()
  local best = 0
  for priority = 9, 1, -1 do
    if waiting(ready[priority]) > 0 then best = priority break end
  end
  local count, last = waiting(returned)
  if count > 0 then
    for _, row in ipairs(redis.call('XRANGE', returned, '(' .. last, '+', 'COUNT', 16)) do
      best = math.max(best, tonumber(priority_of(row[2], 0)))
    end
  end
  return best
end
