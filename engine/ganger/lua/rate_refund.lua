#!lua flags=allow-oom
-- Gives back `count`, the last ones, of what was `taken` of a rate under a nonce and not used. Of a window (each_us 0)
-- their entries go; a bucket gets them less what it has been filled by since at_us: that may have run over meanwhile.
-- KEYS marker spent
-- ARGV run of nonce taken count each_us at_us
-- USES now
-- REPLY refunded other
-- other: the server's process is not the one (`of`) that they were taken from, or it was emptied since.
-- Crash points: none within. A repeat finds no entries of a window; to a bucket it would give twice, so there is none.
if run ~= of or string.match(redis.call('GET', marker) or '', '^(%x+)|') ~= run then return {'other'} end
local last, each = tonumber(taken), tonumber(each_us)
if each == 0 then
  for place = last - tonumber(count) + 1, last do redis.call('ZREM', spent, nonce .. ':' .. place) end
  return {'refunded'}
end
local time = redis.call('TIME')
local since = math.max(0, time[1] * 1000000 + time[2] - tonumber(at_us))
local full_at = tonumber(redis.call('GET', spent) or 0)
local back = math.min(full_at, math.max(0, tonumber(count) * each - since))
if back > 0 then redis.call('SET', spent, whole(full_at - back), 'KEEPTTL') end
return {'refunded'}
