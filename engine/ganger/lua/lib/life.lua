-- Since when this server remembers, in ms of its own clock. `run` is the run id of the connection's server process,
-- `up_ms` how long it has been up at the least. The marker names the process that wrote it: another one's means a
-- restart, after which the last writes may be missing; none at all, that everything may be.
local function life(marker, run, up_ms, now)
  local was = redis.call('GET', marker)
  local writer, since = string.match(was or '', '^(%x+)|(%d+)$')
  if writer == run then return tonumber(since) end
  local from = writer and now - tonumber(up_ms) or now
  redis.call('SET', marker, run .. '|' .. whole(from))
  return from
end
