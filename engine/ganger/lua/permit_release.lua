#!lua flags=allow-oom
-- Frees a seat, if it is this token's; with an empty seat, whatever seats are this token's. Whoever has waited longest
-- is woken, unless keep_ms, for how long it has the seat to itself, is 0.
-- KEYS taken holders waiting woken
-- ARGV token seat keep_ms
-- USES now turns
-- REPLY released gone
-- Crash points: none within; a repeat finds the seat gone, or another's, and changes nothing. Nobody hears the wake-up,
-- or it dies: others find the seat free a moment later, when they look.
local seats = {seat}
if seat == '' then seats = redis.call('HKEYS', holders) end
local word = 'gone'
for _, each in ipairs(seats) do
  local record = redis.call('HGET', holders, each)
  if record and string.sub(record, 1, #token + 1) == token .. '|' then
    redis.call('ZREM', taken, each)
    redis.call('HDEL', holders, each)
    word = 'released'
  end
end
if word == 'released' and tonumber(keep_ms) > 0 and redis.call('EXISTS', waiting) == 1 then
  wake_next(now_ms(), tonumber(keep_ms))
end
return {word}
