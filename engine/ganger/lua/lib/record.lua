-- A job outside the streams: "<type>\n<priority>\n<bytes of state>\n<state><body>", in the jobs bucket of its jid.
local function pack_record(kind, priority, state, body)
  return kind .. '\n' .. priority .. '\n' .. #state .. '\n' .. state .. body
end
local function unpack_record(record)
  local kind, priority, length, from = string.match(record, '^([^\n]*)\n([1-9])\n(%d+)\n()')
  if not kind then return nil end
  local cut = from + length
  return kind, tonumber(priority), string.sub(record, from, cut - 1), string.sub(record, cut)
end
