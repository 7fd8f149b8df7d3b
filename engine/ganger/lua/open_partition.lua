#!lua
-- Makes the structures of a partition, each with a sentinel so that it exists even when it holds nothing: an
-- absent declared key would answer TRYAGAIN for as long as the slot migrates. Harmless when they are there.
-- KEYS meta memo later dead lanes locks tracks outbox crons rest...
-- ARGV group
-- REPLY opened
-- rest = 16 jobs hashes, then 11 streams, log and parked. Crash points: none, a script runs whole or not at all.
for i = 1, 16 do redis.call('HSETNX', rest[i], '', '') end
for i = 17, #rest do
  local made = redis.pcall('XGROUP', 'CREATE', rest[i], group, '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
for _, hash in ipairs({memo, locks, tracks, outbox, crons}) do redis.call('HSETNX', hash, '', '') end
redis.call('ZADD', later, 'NX', '+inf', '')
redis.call('ZADD', dead, 'NX', '+inf', '')
redis.call('ZADD', lanes, 'NX', '0', '')
redis.call('HSETNX', meta, 'seq', '0')
redis.call('HSETNX', meta, 'drained', '1')
redis.call('HSETNX', meta, 'ms', '0')
return {'opened'}
