-- One field of an entry: j jid, t type, b body, s state (absent when blank), p priority (only where the stream does not say
-- it: returned, laned, parked), of one in a lane l its place and k its key. An entry may be anybody's: nil is said in so
-- many words, for many a function wants an argument.
local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end
-- The priority of an entry in the stream of this index; one that says its own and makes no sense counts as 5.
local function priority_of(fields, index)
  index = tonumber(index)
  if index > 0 and index < 10 then return index end
  return string.match(field(fields, 'p') or '', '^[1-9]$') or '5'
end
local function drop(stream, id)
  redis.call('XACK', stream, 'workers', id)
  redis.call('XDEL', stream, id)
end
