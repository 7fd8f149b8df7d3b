#!lua flags=no-writes
-- Who holds what of a semaphore, by this server's knowledge.
-- KEYS taken holders revoked
-- USES now
-- REPLY seats
-- {seats, now, then for each seat: seat, until ms, `<token>|<since ms>|<who>`, 1 if revoked}
-- Crash points: none; it changes nothing.
local now = now_ms()
local reply = {'seats', now}
local found = redis.call('ZRANGE', taken, '(' .. whole(now), '+inf', 'BYSCORE', 'WITHSCORES')
for place = 1, #found, 2 do
  local record = redis.call('HGET', holders, found[place]) or ''
  local token = string.match(record, '^(%x+)|') or ''
  reply[#reply + 1] = found[place]
  reply[#reply + 1] = found[place + 1]
  reply[#reply + 1] = record
  reply[#reply + 1] = redis.call('ZSCORE', revoked, token) and 1 or 0
end
return reply
