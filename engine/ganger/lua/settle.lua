#!lua flags=allow-oom
-- Entries whose story is over: removed wherever they stand, and counted by how many really were there.
-- KEYS meta streams...
-- ARGV kind ids...
-- REPLY settled
-- ids = for each stream its number of ids, then these (at most 1,000). {settled, removed}. Crash points: none.
local removed, at = 0, 1
for i = 1, #streams do
  local count = tonumber(ids[at])
  redis.call('XACK', streams[i], 'workers', unpack(ids, at + 1, at + count))
  removed = removed + redis.call('XDEL', streams[i], unpack(ids, at + 1, at + count))
  at = at + count + 1
end
if removed > 0 then
  redis.call('HINCRBY', meta, kind, removed)
  if kind == 'exhausted' then redis.call('HINCRBY', meta, 'failed', removed) end
end
return {'settled', removed}
