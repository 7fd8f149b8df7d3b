-- Late verdicts: field v:<jid> = "<count>|<ms>|<death ids>". A move out of working that does not know of them yet
-- is sent back to be decided again; one that does clears them. Needs memo, jid and noted.
local function unknown_notes()
  local value = redis.call('HGET', memo, 'v:' .. jid)
  local count = value and tonumber(string.match(value, '^(%d+)')) or 0
  if count ~= tonumber(noted) then return count end
  return nil
end
local function clear_notes()
  if noted ~= '0' then redis.call('HDEL', memo, 'v:' .. jid) end
end
