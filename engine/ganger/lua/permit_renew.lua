#!lua flags=allow-oom
-- Lengthens the time of a seat for a holder whose vote of this server is still good: also where this server has
-- forgotten it, so that a restarted one learns its holders again.
-- KEYS marker taken holders revoked terms
-- ARGV run up_ms ttl_ms token who cap limit held_ms seat
-- USES now life seats
-- REPLY renewed lost revoked
-- lost: another has the seat, or the cap is reached. `who` may be another than before: the holder says what it is at.
-- Crash points: the caller dies after this: the seat is free when ttl_ms are over. A repeat does the same once more.
local now, ttl = now_ms(), tonumber(ttl_ms)
life(marker, run, up_ms, now)
sweep_seats(now)
if redis.call('ZSCORE', revoked, token) then return {'revoked'} end
if (redis.call('GET', terms) or limit) == limit then redis.call('SET', terms, limit, 'PX', ttl) end
if has_seat(seat, token) then
  local since, before = string.match(redis.call('HGET', holders, seat), '^%x+|(%d+)|(.*)$')
  take_seat(seat, token, before ~= who and tonumber(since), who, now, ttl)
  return {'renewed'}
end
if redis.call('ZSCORE', taken, seat) then return {'lost'} end
if tonumber(cap) > 0 and redis.call('ZCARD', taken) >= tonumber(cap) then return {'lost'} end
take_seat(seat, token, now - tonumber(held_ms), who, now, ttl)
return {'renewed'}
