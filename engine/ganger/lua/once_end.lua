#!lua flags=allow-oom
-- Ends a block that once_begin began: its result, or what it failed of, is kept for ttl_ms.
-- KEYS mark
-- ARGV token jid entry attempt state value ttl_ms
-- REPLY kept lost
-- lost: another holder has begun since; its mark stays as it is. A mark that has run out is written anew: nobody has
-- begun since. Crash points: none; a repeat writes the same again.
local holder = redis.call('HGET', mark, 'token')
if holder and holder ~= token then return {'lost'} end
redis.call('HSET', mark, 'state', state, 'token', token, 'jid', jid, 'entry', entry, 'attempt', attempt,
  'until', '0', 'value', value, 'earlier', '')
redis.call('PEXPIRE', mark, ttl_ms)
return {'kept'}
