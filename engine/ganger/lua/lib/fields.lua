-- One field of an entry: j jid, t type, b body, s state (absent when blank), p priority (only in returned).
local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end
local function drop(stream, id)
  redis.call('XACK', stream, 'workers', id)
  redis.call('XDEL', stream, id)
end
