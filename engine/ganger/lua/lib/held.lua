-- An entry's fields if the consumer may move it, else nil and why not. An entry that nobody holds (a failover lost
-- the claim, it waits again) may be moved by whoever had it: nobody else has.
local function held(stream, id, consumer)
  local lease = redis.call('XPENDING', stream, 'workers', id, id, 1)[1]
  if lease and lease[2] ~= consumer then return nil, 'stolen' end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if entry then return entry[2] end
  if lease then redis.call('XACK', stream, 'workers', id) end
  return nil, 'gone'
end
