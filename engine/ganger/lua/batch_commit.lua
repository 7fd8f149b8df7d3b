#!lua flags=allow-oom
-- The members that a batch has are all, but for those that its members add: from here on callbacks may fire.
-- KEYS head ended ok outbox
-- USES now batch
-- REPLY committed unknown
-- The bitmaps are laid out for all members: a string that grows bit by bit takes up to twice its length.
-- {committed, effects owed}. Crash points: none.
if not is_batch() then return {'unknown'} end
if batch.state == 'open' then
  note('state', 'committed')
  for _, key in ipairs(batch.total > 0 and {ended, ok} or {}) do
    redis.call('SETBIT', key, batch.total - 1, redis.call('GETBIT', key, batch.total - 1))
    redis.call('SET', key, redis.call('GET', key))
  end
  redis.call('HSET', head, 'committed_ms', whole(now))
  follow()
else
  rewrite()
end
return {'committed', owes()}
