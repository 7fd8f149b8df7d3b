#!lua flags=allow-oom
-- Takes the first free one of `seats` on this server; where cap is above 0, the one seat named, while fewer than cap
-- are taken. Grants nothing while this server may have forgotten a holder.
-- KEYS marker taken holders revoked
-- ARGV run up_ms ttl_ms token who cap seats...
-- USES now life seats
-- REPLY granted full young revoked
-- {granted, seat}; {full, ms until a seat's time is over, taken seats (not under a cap)...}; {young, ms to wait}.
-- Crash points: the caller dies after this: the seat is free when ttl_ms are over. A repeat (same token) keeps the seat
-- it has, and lengthens its time.
local now, ttl = now_ms(), tonumber(ttl_ms)
local since = life(marker, run, up_ms, now)
sweep_seats(now)
if redis.call('ZSCORE', revoked, token) then return {'revoked'} end
for _, seat in ipairs(seats) do
  if has_seat(seat, token) then
    take_seat(seat, token, nil, nil, now, ttl)
    return {'granted', seat}
  end
end
if now < since + ttl then return {'young', since + ttl - now} end
local limited = tonumber(cap) > 0
if not limited or redis.call('ZCARD', taken) < tonumber(cap) then
  for _, seat in ipairs(seats) do
    if not redis.call('ZSCORE', taken, seat) then
      take_seat(seat, token, now, who, now, ttl)
      return {'granted', seat}
    end
  end
end
local first = redis.call('ZRANGE', taken, 0, 0, 'WITHSCORES')
local wait_ms = first[2] and math.max(0, tonumber(first[2]) - now) or 0
if limited then return {'full', wait_ms} end
return {'full', wait_ms, unpack(redis.call('ZRANGE', taken, 0, 127))}
