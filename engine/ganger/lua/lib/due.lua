-- When the next job of later is due, or nil: the sentinel stands at the end of time. Needs later.
local function next_due()
  local first = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
  if first[1] and first[1] ~= '' then return tonumber(first[2]) end
  return nil
end
