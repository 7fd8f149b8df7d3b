-- How many entries of a stream nobody has claimed yet, and the id up to which they were claimed. Exact: what was
-- delivered is either pending or deleted. XINFO GROUPS, as XPENDING would list every consumer.
local function waiting(stream)
  local length = redis.call('XLEN', stream)
  if length == 0 then return 0, '0-0', 0 end
  local group = redis.call('XINFO', 'GROUPS', stream)[1]
  local pending, last = 0, '0-0'
  for i = 1, #group, 2 do
    if group[i] == 'pending' then pending = group[i + 1] end
    if group[i] == 'last-delivered-id' then last = group[i + 1] end
  end
  return length - pending, last, pending
end
