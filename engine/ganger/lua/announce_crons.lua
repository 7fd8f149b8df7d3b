#!lua flags=allow-oom
-- The cron entries of a live host, and since when it has had them; hosts that were silent for long are dropped.
-- KEYS crons
-- ARGV host app digest entries max_age_ms
-- USES now
-- REPLY announced
-- "h:<host>" = "<seen ms> <since ms> <digest> <app>", "d:<digest>" = the entries as JSON, once for all hosts that have
-- the same. A host that begins to say something else has it since now: that is its new generation. What is ahead of now
-- was written before the clock was set back: it is older than now, in the order that it has. Crash points: none.
local now = now_ms()
local since, before = string.match(redis.call('HGET', crons, 'h:' .. host) or '', '^%d+ (%d+) (%S+)')
if before ~= digest then since = whole(now) end
redis.call('HSET', crons, 'h:' .. host, whole(now) .. ' ' .. since .. ' ' .. digest .. ' ' .. app)
redis.call('HSET', crons, 'd:' .. digest, entries)
local all, used, ahead = redis.call('HGETALL', crons), {}, {}
for i = 1, #all, 2 do
  local seen, since_ms, rest, theirs = string.match(all[i + 1], '^(%d+) (%d+)( (%S+).*)$')
  if string.sub(all[i], 1, 2) == 'h:' then
    if seen and now - seen <= tonumber(max_age_ms) then used[theirs] = true else redis.call('HDEL', crons, all[i]) end
    if seen and math.max(seen, since_ms) > now then ahead[#ahead + 1] = {tonumber(since_ms), all[i], rest} end
  end
end
table.sort(ahead, function(one, other) return one[1] < other[1] end)
for place, row in ipairs(ahead) do
  local before_ms = math.min(row[1], now - #ahead + place - 1)
  redis.call('HSET', crons, row[2], whole(now) .. ' ' .. whole(before_ms) .. row[3])
end
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'd:' and not used[string.sub(all[i], 3)] then redis.call('HDEL', crons, all[i]) end
end
return {'announced'}
