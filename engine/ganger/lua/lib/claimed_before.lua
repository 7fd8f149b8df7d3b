-- What a claim's memo says of this op: nil when it is new, else the whole reply. Entries that the op took are read
-- again as far as they are still the consumer's: between the first and the last of a range, a stream holds no
-- others of that consumer. Needs returned, ready (laned being its tenth), consumer and op as a number.
local function claimed_before(memoed, reply)
  local last, ranges = string.match(memoed, '^(%d+)|%d+|(.*)$')
  last = tonumber(last)
  if not last or last < op then return nil end
  if last > op or ranges == 'x' then return {'refused'} end
  for stream, first, final in string.gmatch(ranges, '(%d+):([%d-]+):([%d-]+)') do
    local key = stream == '0' and returned or ready[tonumber(stream)]
    local entries = {}
    for _, lease in ipairs(redis.call('XPENDING', key, 'workers', first, final, 1000, consumer)) do
      entries[#entries + 1] = redis.call('XRANGE', key, lease[1], lease[1])[1]
    end
    reply[#reply + 1], reply[#reply + 2] = tonumber(stream), entries
  end
  reply[2] = 1
  return reply
end
