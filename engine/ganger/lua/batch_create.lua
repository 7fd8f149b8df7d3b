#!lua
-- A batch, open and empty. Its keys all exist from here on, so that each has its time to live.
-- KEYS head ended ok outbox
-- ARGV about...
-- USES now batch
-- REPLY created repeat
-- about = field, value .. of its head: description, parent_bid, the parcels of its callbacks. Crash points: none.
if is_batch() then
  rewrite()
  return {'repeat'}
end
redis.call('HSET', head, 'state', 'open', 'total', '0', 'ended', '0', 'ok', '0', 'created_ms', whole(now))
for i = 1, #about, 2 do redis.call('HSET', head, about[i], about[i + 1]) end
redis.call('SETBIT', ended, 0, 0)
redis.call('SETBIT', ok, 0, 0)
redis.call('HSET', outbox, '', '')
batch.state = 'open'
follow()
return {'created'}
