#!lua flags=allow-oom
-- This batch is a member of another: its number there is known now.
-- KEYS head ended ok outbox
-- ARGV parent
-- USES now batch
-- REPLY adopted unknown
-- parent = "<batch>:<number>". {adopted, effects owed}. A death before this is told to the parent as well.
-- Crash points: none.
if not is_batch() then return {'unknown'} end
if not batch.parent then
  note('parent', parent)
  if batch.death then redis.call('HSET', outbox, 'b:' .. string.match(parent, '^[^:]+') .. ':child', 'died') end
  follow()
else
  rewrite()
end
return {'adopted', owes()}
