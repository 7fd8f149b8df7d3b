-- The seats of a semaphore: who has one, taking one, and leaving those whose time is over.
local function sweep_seats(now)
  for _, seat in ipairs(redis.call('ZRANGE', taken, '-inf', whole(now), 'BYSCORE')) do
    redis.call('ZREM', taken, seat)
    redis.call('HDEL', holders, seat)
  end
  redis.call('ZREMRANGEBYSCORE', revoked, '-inf', whole(now))
end
-- A vote lasts ttl_ms from when it was asked for, so none lasts longer than that from now on. One that seems to was given
-- before the clock was set back, and a dead holder's would stand until it is there again.
local function shorten_seats(now, ttl_ms)
  for _, seat in ipairs(redis.call('ZRANGE', taken, '(' .. whole(now + ttl_ms), '+inf', 'BYSCORE')) do
    redis.call('ZADD', taken, whole(now + ttl_ms), seat)
  end
end
local function has_seat(seat, token)
  local record = redis.call('HGET', holders, seat)
  return record and string.sub(record, 1, #token + 1) == token .. '|'
end
local function take_seat(seat, token, since, who, now, ttl_ms)
  redis.call('ZADD', taken, whole(now + ttl_ms), seat)
  if since then redis.call('HSET', holders, seat, token .. '|' .. whole(since) .. '|' .. who) end
  redis.call('PEXPIRE', taken, ttl_ms)
  redis.call('PEXPIRE', holders, ttl_ms)
end
