#!lua flags=allow-oom
-- Consumers of masters that are long gone. Never one with something pending: DELCONSUMER would lose it.
-- KEYS meta streams...
-- ARGV min_idle_ms
-- REPLY dropped uninitialised
-- {dropped, name ..}. Crash points: none.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local reply = {'dropped'}
for _, stream in ipairs(streams) do
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', stream, 'workers')) do
    local about = {}
    for i = 1, #row, 2 do about[row[i]] = row[i + 1] end
    if about.pending == 0 and about.idle >= tonumber(min_idle_ms) then
      redis.call('XGROUP', 'DELCONSUMER', stream, 'workers', about.name)
      reply[#reply + 1] = about.name
    end
  end
end
return reply
