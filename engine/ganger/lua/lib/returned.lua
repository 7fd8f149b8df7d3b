-- The priorities of the next returned jobs. The best of them counts for all, so that none waits behind its elders
-- for ever. Needs returned and the libs waiting and fields.
local window, at = {}, 1
local function peek_returned()
  window, at = {}, 1
  local count, last = waiting(returned)
  if count <= 0 then return end
  for i, row in ipairs(redis.call('XRANGE', returned, '(' .. last, '+', 'COUNT', 16)) do
    window[i] = tonumber(priority_of(row[2], 0))
  end
end
local function best_returned()
  if at > #window and at > 1 then peek_returned() end
  local best = 0
  for i = at, #window do best = math.max(best, window[i]) end
  return best
end
