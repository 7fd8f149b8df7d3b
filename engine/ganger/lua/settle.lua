#!lua flags=allow-oom
-- Entries whose story is over: removed wherever they stand, and counted by how many really were there. In a careful
-- partition each is read first, for what its end owes.
-- KEYS meta locks tracks outbox log streams...
-- ARGV nonce step kind ids...
-- USES now ids fields label ending
-- REPLY settled
-- ids = for each stream its index, its number of ids, then these (at most 1,000). {settled, removed}. Crash points: none.
local removed, at = 0, 1
for i = 1, #streams do
  local first, last = at + 2, at + 1 + ids[at + 1]
  for place = first, careful and last or at do
    local entry = redis.call('XRANGE', streams[i], ids[place], ids[place])[1]
    if entry then entry_ended(entry[2], ids[at], kind) end
  end
  redis.call('XACK', streams[i], 'workers', unpack(ids, first, last))
  removed = removed + redis.call('XDEL', streams[i], unpack(ids, first, last))
  at = last + 1
end
if removed > 0 then
  redis.call('HINCRBY', meta, kind, removed)
  if kind == 'exhausted' then redis.call('HINCRBY', meta, 'failed', removed) end
end
return {'settled', removed}
