-- Ends an entry that somebody's cancel has marked, in place of whatever its holder wanted with it: whether it did.
-- Needs memo and what the libs marked, ending and fields need.
local function cancelled(stream, index, id, fields)
  if not marked(id) then return false end
  entry_ended(fields, index, 'cancelled')
  drop(stream, id)
  redis.call('HDEL', memo, 'x:' .. id)
  redis.call('HINCRBY', meta, 'cancelled', 1)
  return true
end
