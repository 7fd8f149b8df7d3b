#!lua flags=allow-oom
-- Takes the first free one of `seats` on this server; where cap is above 0, the one seat named, while fewer than cap
-- are taken. Grants nothing while this server may have forgotten a holder.
-- KEYS marker taken holders revoked terms waiting woken
-- ARGV run up_ms ttl_ms token who cap limit asker waited_ms stays_ms seats...
-- USES now life seats turns
-- REPLY granted full young revoked other
-- {granted, seat, the limit that it was last used with}; {full, ms until a seat's time is over, taken seats (not under a
-- cap)...}; {young, ms to wait}; {other, the limit that it is used with}: permits of that one are counted in another way.
-- asker: who asks, "" where a seat is named that another server has picked. One that stays is noted, and woken in turn.
-- Crash points: the caller dies after this: the seat is free when ttl_ms are over, its turn a moment after it has come.
-- A repeat (same token) keeps the seat it has, and lengthens its time.
local now, ttl = now_ms(), tonumber(ttl_ms)
local since = life(marker, run, up_ms, now)
sweep_seats(now)
shorten_seats(now, ttl)
if redis.call('ZSCORE', revoked, token) then return {'revoked'} end
local last = redis.call('GET', terms) or limit
for _, seat in ipairs(seats) do
  if has_seat(seat, token) then
    take_seat(seat, token, nil, nil, now, ttl)
    return {'granted', seat, last}
  end
end
if now < since + ttl then return {'young', since + ttl - now} end
local limited = tonumber(cap) > 0
if last ~= limit and (tonumber(last) > 64) ~= limited and redis.call('ZCARD', taken) > 0 then return {'other', last} end
local kept, room, free = turns_of_others(asker, now), 0, nil
if limited then
  room, free = tonumber(cap) - redis.call('ZCARD', taken), seats[1]
else
  for _, seat in ipairs(seats) do
    if not redis.call('ZSCORE', taken, seat) then room, free = room + 1, free or seat end
    if room > kept then break end
  end
end
if room > kept then
  take_seat(free, token, now, who, now, ttl)
  redis.call('SET', terms, limit, 'PX', ttl)
  end_turn(asker)
  return {'granted', free, last}
end
await_turn(asker, now, tonumber(waited_ms), tonumber(stays_ms))
local first = redis.call('ZRANGE', taken, 0, 0, 'WITHSCORES')
local wait_ms = first[2] and math.max(0, tonumber(first[2]) - now) or 0
if limited then return {'full', wait_ms} end
return {'full', wait_ms, unpack(redis.call('ZRANGE', taken, 0, 127))}
