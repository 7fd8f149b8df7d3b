-- A hash of "<ms> <what>": who was silent for long is dropped, and what is no such value. A stamp ahead of the clock was
-- written before that was set back: it counts from now on, or the dead would live, and the living seem silent, until the
-- clock is there again. Needs lib now.
local function drop_silent(key, now, max_age_ms)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local at_ms, what = string.match(all[i + 1], '^(%d+)(.*)$')
    if not at_ms or now - at_ms > tonumber(max_age_ms) then
      redis.call('HDEL', key, all[i])
    elseif tonumber(at_ms) > now then
      redis.call('HSET', key, all[i], whole(now) .. what)
    end
  end
end
