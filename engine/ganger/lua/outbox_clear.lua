#!lua flags=allow-oom
-- Effects that their targets have: removed, but for those that meanwhile say something else.
-- KEYS outbox
-- ARGV pairs...
-- REPLY cleared
-- pairs = effect, its value or #<SHA-1 of it>. {cleared, removed}. Crash points: none.
local removed = 0
for i = 1, #pairs, 2 do
  local value = redis.call('HGET', outbox, pairs[i])
  if value and (value == pairs[i + 1] or '#' .. redis.sha1hex(value) == pairs[i + 1]) then
    removed = removed + redis.call('HDEL', outbox, pairs[i])
  end
end
return {'cleared', removed}
