#!lua flags=allow-oom
-- Frees a seat, if it is this token's; with an empty seat, whatever seats are this token's.
-- KEYS taken holders
-- ARGV token seat
-- REPLY released gone
-- Crash points: none within; a repeat finds the seat gone, or another's, and changes nothing.
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
return {word}
