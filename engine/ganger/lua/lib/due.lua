-- When the next job of later is due, or nil: the sentinel stands at the end of time. Needs later.
local function next_due()
  local first = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
  local due = tonumber(first[2])
  -- Whoever else stands at the end of time is never due either.
  return due and first[1] ~= '' and due < math.huge and due or nil
end
