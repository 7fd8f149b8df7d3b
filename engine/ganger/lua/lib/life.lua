-- Since when this server remembers what it was told, and since when its process runs, in ms of its own clock. `run` is
-- the run id of the connection's server process, `up_ms` how long it has been up at the least. The marker names the
-- process that wrote it: another one's means a restart, after which the last writes may be missing; none at all, that
-- everything may be. What is ahead of now was written before the clock was set back: then it is as if it began now.
local function life(marker, run, up_ms, now)
  local was = redis.call('GET', marker)
  local writer, since, began = string.match(was or '', '^(%x+)|(%d+)|(%d+)$')
  if writer == run and math.max(since, began) <= now then return tonumber(since), tonumber(began) end
  if writer == run then
    since, began = math.min(since, now), math.min(began, now)
  else
    began = now - tonumber(up_ms)
    since = writer and began or now
  end
  redis.call('SET', marker, run .. '|' .. whole(since) .. '|' .. whole(began))
  return since, began
end
