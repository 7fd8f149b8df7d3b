-- Who waits for a seat, longest first, and who has been woken for one: it is kept for that one a moment, so that nobody
-- who has waited less is quicker. `waiting` is also the channel on which it is woken; the one behind it hears that as
-- well, and looks when that moment is over: the first may not want it any more, or not live.
local function turns_of_others(asker, now)
  if asker == '' then return 0 end
  redis.call('ZREMRANGEBYSCORE', woken, '-inf', whole(now))
  redis.call('ZREMRANGEBYSCORE', woken, whole(now + 60000), '+inf') -- of before the clock was set back
  return redis.call('ZCARD', woken) - (redis.call('ZSCORE', woken, asker) and 1 or 0)
end
local function end_turn(asker)
  redis.call('HDEL', waiting, asker)
  redis.call('ZREM', woken, asker)
end
local function await_turn(asker, now, waited_ms, stays_ms)
  if asker == '' or stays_ms <= 0 then return end
  redis.call('HSET', waiting, asker, whole(now - waited_ms) .. '|' .. whole(now + stays_ms))
  redis.call('PEXPIRE', waiting, 60000)
end
local function wake_next(now, keep_ms)
  local since, first, second = {}, nil, nil
  local found = redis.call('HGETALL', waiting)
  for place = 1, #found, 2 do
    local asker, began, stays = found[place], string.match(found[place + 1], '^(%d+)|(%d+)$')
    since[asker] = tonumber(began)
    if tonumber(stays) <= now then
      redis.call('HDEL', waiting, asker)
    elseif not first or since[asker] < since[first] then
      first, second = asker, first
    elseif not second or since[asker] < since[second] then
      second = asker
    end
  end
  if not first then return end
  redis.call('HDEL', waiting, first)
  redis.call('ZADD', woken, whole(now + keep_ms), first)
  redis.call('PEXPIRE', woken, 60000)
  redis.call('PUBLISH', waiting, first .. ' ' .. (second or '') .. ' ' .. whole(keep_ms))
end
