-- One field of an entry: j jid, t type, b body, s state (absent when blank), p priority (only where the stream does not say
-- it: returned, laned, parked), of one in a lane l its place and k its key.
local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end
-- The priority of an entry in the stream of this index.
local function priority_of(fields, index)
  index = tonumber(index)
  if index > 0 and index < 10 then return index end
  return field(fields, 'p') or '5'
end
local function drop(stream, id)
  redis.call('XACK', stream, 'workers', id)
  redis.call('XDEL', stream, id)
end
